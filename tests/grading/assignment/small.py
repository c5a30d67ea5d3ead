# %% [markdown]
# # A small assignment
#
# Replace `raise NotImplementedError()` by your answer, run the cell, then run the check below it.

# %%
import math

import torch  # noqa: F401

from gencourse.checks import vae as check
from gencourse.models import vae as m  # noqa: F401

# %% [markdown]
# ## 1 · `gaussian_log_density`
#
# The log-density of each row of `x` under a normal distribution with independent coordinates. All three arguments have
# shape (B, D); the result has shape (B,).


# %%
def gaussian_log_density(x, mu, logvar):
    """log N(x; mu, diag(exp logvar)): x, mu, logvar (B, D) -> (B,), nats."""
    ### BEGIN SOLUTION
    per_coordinate = -0.5 * (math.log(2 * math.pi) + logvar + (x - mu) ** 2 / logvar.exp())
    return per_coordinate.sum(1)
    ### END SOLUTION


# %%
check.gaussian_log_density(gaussian_log_density)

# %% [markdown]
# ## 2 · `reparameterize`
#
# Turn standard normal noise into a draw from N(mu, exp logvar), such that gradients reach `mu` and `logvar`.


# %%
def reparameterize(mu, logvar, eps):
    """A draw z from N(mu, exp logvar), made of the noise eps. All (B, D)."""
    ### BEGIN SOLUTION
    std = (0.5 * logvar).exp()
    return mu + std * eps
    ### END SOLUTION


# %%
check.reparameterize(reparameterize)

# %% [markdown]
# ## 3 · `kl_to_standard_normal`
#
# The divergence of N(mu, exp logvar) from N(0, I), one value for each row, in closed form.


# %%
def kl_to_standard_normal(mu, logvar):
    """KL(N(mu, diag exp logvar) ‖ N(0, I)): mu, logvar (B, D) -> (B,), nats."""
    ### BEGIN SOLUTION
    per_dimension = 0.5 * (mu**2 + logvar.exp() - 1 - logvar)
    return per_dimension.sum(1)
    ### END SOLUTION


# %%
check.kl_to_standard_normal(kl_to_standard_normal)

# %% [markdown]
# ## 4 · `bits`
#
# A number of nats in bits.


# %%
def bits(nats):
    """The same amount of information in bits."""
    ### BEGIN SOLUTION
    return nats / math.log(2)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "grade_id": "bits_test", "grade": true, "solution": false, "locked": true, "task": false, "points": 2}
assert math.isclose(bits(math.log(2)), 1.0)
assert bits(0.0) == 0.0
### BEGIN HIDDEN TESTS
assert math.isclose(bits(8 * math.log(2)), 8.0)
assert math.isclose(bits(-98.3), -98.3 / math.log(2), rel_tol=1e-6)
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · In your own words
#
# Why is the noise `eps` an argument of `reparameterize`, and not drawn inside of it?

# %% [markdown] nbgrader={"schema_version": 3, "grade_id": "why_eps", "grade": true, "solution": true, "locked": false, "task": false, "points": 5}
# The randomness then does not depend on mu and logvar, so that gradients pass through the draw to both; and with the
# same noise anyone can repeat the result.

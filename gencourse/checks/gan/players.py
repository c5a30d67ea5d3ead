"""The two small players on which a learner's steps are judged: code for the trials, built where the answer lives."""

PLAYERS = """
class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.c = nn.Parameter(torch.tensor([[0.6, -0.4], [0.3, 0.8], [-0.5, 0.2]])), nn.Parameter(torch.tensor([0.2, -0.1]))
    def forward(self, z):
        return z @ self.a + self.c
class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.w, self.v = nn.Parameter(torch.tensor([0.7, -0.5])), nn.Parameter(torch.tensor(0.3))
    def forward(self, x):
        return x @ self.w + self.v * x.square().sum(1)
def state(player):
    return [p.detach().clone() for p in player.parameters()]
def moved(player, before):
    return any(bool((p != b).any()) for p, b in zip(player.parameters(), before))
def stale(player):
    for p in player.parameters():
        p.grad = torch.full_like(p, 2.0)
def ready():
    players = {"G": generator, "D": discriminator}
    learning = {f"all parameters of {name} can learn": all(p.requires_grad for p in player.parameters()) for name, player in players.items()}
    return learning | {f"{name} is in training mode": player.training for name, player in players.items()}
generator, discriminator = Generator(), Discriminator()
"""

ARRIVALS = """
arrived = []
for p in generator.parameters():
    p.register_hook(lambda gradient: arrived.append(bool((gradient != 0).any())))
"""

"""What a submission may use."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Limits:
    """Seconds of wall time, MiB of memory and of files, numbers of processes and of restarts, for
    one submission.
    """

    cell_s: float = 60  # one cell
    ask_s: float = 20  # one call of an answer
    total_s: float = 300  # everything
    memory_mib: int = (
        2048  # all of its processes together, its files, and what the kernel keeps for them
    )
    files_mib: int = 128  # each of its three temporary folders, and each file
    processes: int = 64  # and threads
    reply_mib: int = 16  # one answer's data
    restarts: int = 6  # after a process that died

    def as_dict(self) -> dict[str, float]:
        """The limits by name."""
        return asdict(self)

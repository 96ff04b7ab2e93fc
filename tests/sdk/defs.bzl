"""nq_served_test: a program that runs against a real server, started for it alone."""

def nq_served_test(name, command, data = [], size = "medium", **kwargs):
    """Runs `command` under with_server.sh.

    Args:
      name: of the test.
      command: label of the program or script.
      data: what else it needs.
      size: as for any test.
      **kwargs: as for any test.
    """
    native.sh_test(
        name = name,
        size = size,
        srcs = ["//tests/sdk:with_server.sh"],
        args = [
            "--server",
            "$(location //server:neuroquantumd)",
            "--nq",
            "$(location //sdk/cli:nq)",
            "$(location %s)" % command,
        ],
        data = data + [command, "//server:neuroquantumd", "//sdk/cli:nq"],
        **kwargs
    )

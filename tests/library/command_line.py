"""What the tests of the commands have in common."""

# The words that simulate two energies of Ag(111).
AG111 = ["simulate", "--material", "ag111", "--bias", "-20,0", "--size", "40", "--pixels", "96"]
AG111 += ["--scatterers", "12", "--snr", "20", "--seed", "1"]


def one_error_line(capsys):
    """Return what was said in one line, as of a mistake that the user can mend."""
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("error: ")
    assert "Traceback" not in out + err
    return lines[0]

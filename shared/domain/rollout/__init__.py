"""How far one version has come, and when the next site may go."""

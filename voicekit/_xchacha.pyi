# All of it is for other extensions: see _xchacha.pxd.

__all__: list[str] = []

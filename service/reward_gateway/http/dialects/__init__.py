"""How each trainer asks: one small file a dialect, decode, gateway, encode."""

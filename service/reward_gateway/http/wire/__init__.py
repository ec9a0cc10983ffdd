"""What stands on the wire, as types; the decoder, the encoder and the OpenAPI page are made from them."""

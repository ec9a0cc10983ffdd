"""The APIs that trainers already speak, one small file per dialect: decode, call the gateway, encode."""

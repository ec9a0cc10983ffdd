"""What every HTTP request passes before its handler: ``entry`` has the order, the other modules one check each."""

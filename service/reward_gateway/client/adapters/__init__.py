"""Rewards for trainers that ask by import path: name one of these modules in the trainer's own configuration.

Where the service is and which recipe answers comes from the trainer's keyword arguments or the environment
(:class:`.service.Service`). The table "your trainer -> what to set" is README.md beside this file.
"""

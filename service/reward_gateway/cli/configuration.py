"""Reads the settings for the commands; errors name the flag and the environment variable."""

from reward_gateway.settings import Settings, flag_of, variable_of

from .output import Unusable


def read_settings() -> Settings:
    """The settings of the environment.

    Raises:
        Unusable: values are invalid; one line per value.
    """
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    try:
        return Settings()
    except ValidationError as error:
        lines = []
        for fault in error.errors(include_url=False):
            setting = str(fault["loc"][0])
            message = str(fault["msg"]).removeprefix("Value error, ")
            lines.append(f"{flag_of(setting)} ({variable_of(setting)}): {message}")
        raise Unusable("\n".join(lines)) from None
    except SettingsError as error:
        setting = next((name for name in Settings.model_fields if f'"{name}"' in str(error)), "")
        raise Unusable(f"{flag_of(setting)} ({variable_of(setting)}): the value is not JSON") from None

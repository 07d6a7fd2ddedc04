"""Clients of SNS and SQS, and the classification of their errors as outages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from chassis.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

_FORBIDDEN = 403
_BROKEN = 500
_OUTAGE_CODES = {
    # A missing topic or queue will be created again: an emulator loses them when it is killed.
    "NotFound",
    "NotFoundException",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
    "Throttled",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "RequestThrottled",
    "OverLimit",
}
# Characters allowed by SQS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
_REFUSED_CHARACTERS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def sns_client() -> SNSClient:
    """Build the client of SNS."""
    return boto3.client("sns", config=_config(5))


def sqs_client(wait_seconds: int = 0) -> SQSClient:
    """Build the client of SQS for long polls of `wait_seconds`; 0 for short timeouts."""
    # Without long polls, the calls are made for people, who don't want to wait.
    config = _config(wait_seconds + 5) if wait_seconds else _config(2, attempts=1)
    return boto3.client("sqs", config=config)


def call_aws(operation: Any, **arguments: Any) -> Any:
    """Call an operation of a client.

    Raises:
        Unavailable: the service is unavailable, also for any other message.
        ClientError: the request itself was refused.
    """
    try:
        return operation(**arguments)
    except ParamValidationError:
        raise
    except BotoCoreError as error:
        raise _bus_unavailable() from error
    except ClientError as error:
        status = error.response["ResponseMetadata"].get("HTTPStatusCode", _BROKEN)
        # A missing permission is fixed elsewhere; the waiting messages continue afterwards.
        if (
            status >= _BROKEN
            or status == _FORBIDDEN
            or error.response["Error"]["Code"] in _OUTAGE_CODES
        ):
            raise _bus_unavailable() from error
        raise


def string_attribute(value: str) -> dict[str, str]:
    """Convert a text to a message attribute, without characters that SQS refuses."""
    return {"DataType": "String", "StringValue": _REFUSED_CHARACTERS.sub("\ufffd", value)}


def _config(read_timeout: int, attempts: int = 2) -> Config:
    return Config(
        connect_timeout=0.5,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )


def _bus_unavailable() -> Unavailable:
    return Unavailable("The message bus is temporarily unavailable.")

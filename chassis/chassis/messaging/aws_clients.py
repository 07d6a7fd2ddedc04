"""Calls of SNS and SQS: their clients, and which of their errors are outages."""

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
    # A topic or queue that is missing will be made: an emulator that was killed lost it.
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
# What SQS takes: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
_REFUSED_CHARACTERS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def sns_client() -> SNSClient:
    """Build the client of SNS."""
    return boto3.client("sns", config=_config(5))


def sqs_client(wait_seconds: int = 0) -> SQSClient:
    """Build the client of SQS, which may wait so long for messages; 0 for who hardly waits."""
    # Whoever takes no messages asks for people, who don't want to wait.
    config = _config(wait_seconds + 5) if wait_seconds else _config(2, attempts=1)
    return boto3.client("sqs", config=config)


def call_aws(operation: Any, **arguments: Any) -> Any:
    """Call an operation of a client.

    Raises:
        Unavailable: it can't be done right now; nor could anything be done with another message.
        ClientError: it was refused for what it asks.
    """
    try:
        return operation(**arguments)
    except ParamValidationError:
        raise
    except BotoCoreError as error:
        raise _bus_unavailable() from error
    except ClientError as error:
        status = error.response["ResponseMetadata"].get("HTTPStatusCode", _BROKEN)
        # A permission that is missing is mended elsewhere, and what waits goes on then.
        if (
            status >= _BROKEN
            or status == _FORBIDDEN
            or error.response["Error"]["Code"] in _OUTAGE_CODES
        ):
            raise _bus_unavailable() from error
        raise


def string_attribute(value: str) -> dict[str, str]:
    """Write a text as the value of a message's attribute, without what SQS refuses."""
    return {"DataType": "String", "StringValue": _REFUSED_CHARACTERS.sub("\ufffd", value)}


def _config(read_timeout: int, attempts: int = 2) -> Config:
    return Config(
        connect_timeout=0.5,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )


def _bus_unavailable() -> Unavailable:
    return Unavailable("The bus between components can't be reached right now.")

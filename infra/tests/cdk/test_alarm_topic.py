"""The topic of alarms: every alarm reports to it, and only CloudWatch may."""

from typing import Any

import pytest

from infra.tests.cdk.templates import Templates, templates, texts

LAB, PRODUCTION = templates(), templates(environment="production")
ARN = "arn:AWS::Partition:{}:AWS::Region:AWS::AccountId:{}"
FROM_ALARMS = {
    "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
    "ArnLike": {"aws:SourceArn": ARN.format("cloudwatch", "alarm:forum-*")},
}
BOTH = pytest.mark.parametrize("made", [LAB, PRODUCTION], ids=["lab", "production"])


def granted(policy: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return what a policy of a resource allows CloudWatch: actions and conditions."""
    found = []
    for statement in policy["Statement"]:
        if statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}:
            assert statement["Effect"] == "Allow"
            conditions = statement["Condition"]
            source = conditions["ArnLike"]["aws:SourceArn"]
            conditions = {**conditions, "ArnLike": {"aws:SourceArn": texts(source)}}
            found.append((statement["Action"], conditions))
    return found


@BOTH
def test_every_alarm_reports_its_begin_and_its_end(made: Templates) -> None:
    topic = made.one("AWS::SNS::Topic", "network")["TopicName"]
    alarms = list(made.all("AWS::CloudWatch::Alarm"))
    assert alarms
    for alarm in alarms:
        for actions in (alarm["AlarmActions"], alarm["OKActions"]):
            assert [texts(each) for each in actions] == [ARN.format("sns", topic)]


@BOTH
def test_topic_is_encrypted_and_takes_messages_of_alarms(made: Templates) -> None:
    resources = made.stack("network")["Resources"]
    topic = made.one("AWS::SNS::Topic", "network")
    assert topic["TopicName"] == "forum-alarms"
    key = resources[topic["KmsMasterKeyId"]["Fn::GetAtt"][0]]["Properties"]
    assert key["EnableKeyRotation"] is True
    [(actions, conditions)] = granted(key["KeyPolicy"])
    assert {"kms:Decrypt", "kms:GenerateDataKey*"} <= set(actions)
    assert conditions == FROM_ALARMS
    policy = made.one("AWS::SNS::TopicPolicy", "network")["PolicyDocument"]
    assert granted(policy) == [("sns:Publish", FROM_ALARMS)]
    assert [
        statement["Condition"] for statement in policy["Statement"] if statement["Effect"] == "Deny"
    ] == [{"Bool": {"aws:SecureTransport": "false"}}]
    allowed = [each for each in policy["Statement"] if each["Effect"] == "Allow"]
    assert len(allowed) == 1


def test_topic_sends_e_mail_if_there_is_an_address() -> None:
    assert not list(LAB.all("AWS::SNS::Subscription", "network"))
    made = templates(email="ops+forum@mail.example.com")
    subscribed = made.one("AWS::SNS::Subscription", "network")
    assert (subscribed["Protocol"], subscribed["Endpoint"]) == (
        "email",
        "ops+forum@mail.example.com",
    )
    [topic] = [
        key
        for key, each in made.stack("network")["Resources"].items()
        if each["Type"] == "AWS::SNS::Topic"
    ]
    assert subscribed["TopicArn"] == {"Ref": topic}

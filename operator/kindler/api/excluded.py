"""Data capture and asynchronous inference: SageMaker has them, but not for serverless endpoints.

The schema has their fields so that manifests which switch them off are accepted.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le, MaxLen

from kindler.api.base import EXCLUDED, FORBIDDEN, Arn, Block, Rule, ShortText, Text

_COUNT = Annotated[int, Ge(0), Le(1_000_000)]


class CaptureOption(Block):
    """One side of the traffic to capture."""

    capture_mode: ShortText | None = None
    """Input, Output or InputAndOutput. Data capture is not available on serverless endpoints."""


class CaptureContentTypeHeader(Block):
    """Content types that data capture treats as text."""

    csv_content_types: Annotated[tuple[ShortText, ...], MaxLen(10)] | None = None
    """Content types taken for CSV. Data capture is not available on serverless endpoints."""
    json_content_types: Annotated[tuple[ShortText, ...], MaxLen(10)] | None = None
    """Content types taken for JSON. Data capture is not available on serverless endpoints."""


class DataCaptureConfig(Block):
    """Capture of requests and answers to S3, which serverless endpoints do not have."""

    enable_capture: (
        Annotated[
            bool,
            Rule(
                "!self",
                f"data capture is {EXCLUDED}; set enableCapture to false, or remove dataCaptureConfig",
                FORBIDDEN,
            ),
        ]
        | None
    ) = None
    """Switches data capture on. Not available on serverless endpoints: only false is accepted."""
    initial_sampling_percentage: Annotated[int, Ge(0), Le(100)] | None = None
    """Share of the traffic to capture. Data capture is not available on serverless endpoints."""
    destination_s3_uri: Text | None = None
    """The place in S3 for captured traffic. Data capture is not available on serverless endpoints."""
    kms_key_id: Arn | None = None
    """The key with which captured traffic is encrypted. Data capture is not available on serverless endpoints."""
    capture_options: Annotated[tuple[CaptureOption, ...], MaxLen(32)] | None = None
    """Which sides of the traffic to capture. Data capture is not available on serverless endpoints."""
    capture_content_type_header: CaptureContentTypeHeader | None = None
    """Content types that are stored as text. Data capture is not available on serverless endpoints."""


class AsyncInferenceClientConfig(Block):
    """How SageMaker calls an asynchronous endpoint."""

    max_concurrent_invocations_per_instance: _COUNT | None = None
    """Requests at the same time for one instance. Asynchronous inference is not available on serverless endpoints."""


class AsyncInferenceNotificationConfig(Block):
    """Where SageMaker announces results."""

    success_topic: Arn | None = None
    """SNS topic for results. Asynchronous inference is not available on serverless endpoints."""
    error_topic: Arn | None = None
    """SNS topic for failures. Asynchronous inference is not available on serverless endpoints."""
    include_inference_response_in: Annotated[tuple[ShortText, ...], MaxLen(2)] | None = None
    """Which topics carry the answer itself. Asynchronous inference is not available on serverless endpoints."""


class AsyncInferenceOutputConfig(Block):
    """Where SageMaker puts results."""

    kms_key_id: Arn | None = None
    """The key with which results are encrypted. Asynchronous inference is not available on serverless endpoints."""
    s3_output_path: Text | None = None
    """The place in S3 for results. Asynchronous inference is not available on serverless endpoints."""
    s3_failure_path: Text | None = None
    """The place in S3 for failures. Asynchronous inference is not available on serverless endpoints."""
    notification_config: AsyncInferenceNotificationConfig | None = None
    """Where results are announced. Asynchronous inference is not available on serverless endpoints."""


class AsyncInferenceConfig(Block):
    """Settings of asynchronous inference, which serverless endpoints do not have."""

    client_config: AsyncInferenceClientConfig | None = None
    """How the model is called. Asynchronous inference is not available on serverless endpoints."""
    output_config: AsyncInferenceOutputConfig | None = None
    """Where results go. Asynchronous inference is not available on serverless endpoints."""

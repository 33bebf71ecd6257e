"""One rule, told twice: the same series through the cluster's real HorizontalPodAutoscaler and through what Application Auto Scaling documents.

    cases     the series, and how each HPA is written
    aws       AWS's documented rule, minute by minute
    foreign   a metrics server that says what the series say
    cluster   the real HPAs
    product   the product's own copy of their rule
    page      the table: docs/reference/hpa-and-aws.md

AWS's rule lives here and not in the product: the product writes HPAs, and computes what an HPA would (core/tracking.py) where no HPA can read metrics.
"""

"""The HPA compared with AWS's rule: both compute sizes for the same loads, for docs/reference/hpa-and-aws.md.

    cases     the series, and how the HPA of each is written
    aws       the rule that Application Auto Scaling documents, minute by minute
    script    a metrics server whose values follow the series
    cluster   the real HPAs of the cluster
    product   Kindler's own copy of the HPA's rule
    page      the table in the docs

AWS's rule is here and not in the product, because the product does not use it. Kindler writes HPAs. On clusters where
no HPA can read metrics, Kindler computes the size that an HPA would set (core/autoscaling/tracking.py).
"""

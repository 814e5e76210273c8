"""Review: queues, answers, pseudo-labels, conflicts, audits, bulks and the history.

The services are `service`, `audit_service` and `bulk_service`; beside them lies what they compute with, on arrays only.
"""

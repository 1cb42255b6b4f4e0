"""The one-command local stack: Valkey and PostgreSQL out of wheels, certificates, and every process of the pipeline."""

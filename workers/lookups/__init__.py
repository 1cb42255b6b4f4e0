"""The enrichers that ask others, and the station that does so before an alert is forwarded."""

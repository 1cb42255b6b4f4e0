"""What the intake itself has to say, as events (`intake.*`) to subscriptions that ask for them, once each."""

"""What a provider's refusal or failure means: typed errors from statuses, codes and words."""

"""Messages and stubs generated from neuroquantum/v1/*.proto."""

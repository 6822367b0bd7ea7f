"""Messages between Ganeti masters and the cloud, over AMQP."""

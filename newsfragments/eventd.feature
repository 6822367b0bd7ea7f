``snf-eventd`` and ``snf-ganeti-hook`` tell the cloud over RabbitMQ what happens on a Ganeti cluster; what a crash of eventd or of the broker interrupts is told again.

"""Fashion-MNIST beside a plain convolutional network in torch, on the same pictures."""

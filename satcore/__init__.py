"""Saturated neural networks on MNIST (Nayebi & Ganguli 2017): trained, kept, measured and attacked."""

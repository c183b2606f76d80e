"""Numbers that the paper reports, to stand beside ours."""

# Table 1: test accuracy, and accuracy on FGSM images (ε = 0.25), in percent. The paper has no control.
TABLE_1 = {
    "sigmoid-mlp/vanilla": (97.6, 0.0),
    "sigmoid-mlp/adversarial": (92.27, 81.71),
    "sigmoid-mlp/saturated": (97.01, 94.43),
    "relu-mlp/vanilla": (98.1, 0.41),
    "relu-mlp/adversarial": (92.29, 91.04),
    "relu-mlp/saturated": (95.24, 94.59),
    "cnn/vanilla": (99.35, 5.62),
    "cnn/adversarial": (99.32, 83.83),
    "cnn/saturated": (99.33, 98.45),
}

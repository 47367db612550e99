"""How the bundled networks are made: data, adversarial training, export. ``tools/train_bundled_net.py`` is its command line.

pictures  mosaics  data      Tiny ImageNet from its folder, packed to travel, in memory
net                          the network, and the members that are shipped
augmentation  attack         what a network is shown
schedule  train  checkpoint  one member's training, step by step
measure  export              how often it is right; the file that ships
"""


class TrainingError(Exception):
    """A mistake of whoever packs, trains or exports; the text says what is wrong and what to do."""

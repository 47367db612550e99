"""Train the bundled networks: data, adversarial training, export. ``tools/train_bundled_net.py`` is the command line.

pictures  mosaics  data      Tiny ImageNet from its folder, packed for transfer, in memory
net                          the network, and the members that are shipped
augmentation  attack         what a network sees
schedule  train  checkpoint  one member's training, step by step
measure  export              its accuracy; the file that ships
"""


class TrainingError(Exception):
    """A user's mistake in packing, training or exporting; the text says what is wrong and what to do."""

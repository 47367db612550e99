"""Make ``assets/classes.json``: ImageNet's 1000 classes, what people call them, and what to suggest instead.

    python tools/make_classes.py WNIDS WORDS IS_A TINY_WNIDS WEIGHTS -o assets/classes.json

WNIDS        text with a WordNet id first in each line: the 1000 classes, in any order (sorting them gives the index)
WORDS        ``words.txt`` of ImageNet or Tiny ImageNet: WordNet id, tab, names
IS_A         ``wordnet.is_a.txt`` of ImageNet: parent's id, child's id
TINY_WNIDS   ``wnids.txt`` of Tiny ImageNet
WEIGHTS      SqueezeNet 1.1 as safetensors: the vectors of its last layer say which classes look alike

The names are WordNet 3.0's (Princeton University). ``tools/class_words.yaml`` adds the missing ones.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import urllib.parse
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
import yaml
from rapidfuzz import process
from rapidfuzz.distance import OSA
from safetensors.numpy import load_file

from streamer.requests.spelling import MAX_KEY, allowed_errors, fold, key, variants

WORDS_YAML = Path(__file__).with_name("class_words.yaml")
RELATIVES = 5
"""Tiny ImageNet classes kept as stand-ins for each class."""
TREE_WEIGHT = 0.25
"""Weight of nearness in WordNet relative to likeness to the network; tuned by reading the lists."""
WIDEST_WORD = 100
"""Most classes that viewers can request by one WordNet word; 'artifact', 'device' and the like have more."""
WIDEST_NEARBY = 60
"""Most classes under the nearest common ancestor that make a helpful suggestion."""
NEARBY_SHOWN = 8
LEFT_OUT = frozenset({"n00007846", "n05220461"})
"""Person and body part: ``nearby`` leaves out words with such a sense, because some are insults."""
TANGIBLE = frozenset(
    {"n00015388", "n00017222", "n12992868", "n00021939", "n09287968", "n07705931", "n07707451", "n07555863", "n00021265"}
)
"""Animal, plant, fungus, artifact, geological formation, fruit, vegetable, two senses of food: worth suggesting."""
LATIN = re.compile(r"[A-Z][a-z]+ [a-z]+(us|is|a|i|ae|um|ns|or|x|es)( [a-z]+)?$")


class Tree:
    """WordNet's nouns above and below the classes."""

    def __init__(self, wnids: list[str], names: dict[str, list[str]], links: Iterable[tuple[str, str]]) -> None:
        self.wnids, self.names = wnids, names
        self.parents: dict[str, list[str]] = defaultdict(list)
        for parent, child in links:
            self.parents[child].append(parent)
        self._above: dict[str, frozenset[str]] = {}

    def above(self, wnid: str) -> frozenset[str]:
        """Return the synset and all its ancestors."""
        if wnid not in self._above:
            self._above[wnid] = frozenset({wnid}).union(*(self.above(parent) for parent in self.parents[wnid]))
        return self._above[wnid]

    @cached_property
    def under(self) -> dict[str, list[int]]:
        """The classes under each synset that has any."""
        under: dict[str, list[int]] = defaultdict(list)
        for index, wnid in enumerate(self.wnids):
            for ancestor in self.above(wnid):
                under[ancestor].append(index)
        return under

    def nearest(self, wnid: str) -> list[int]:
        """Return the classes under the closest tangible ancestor that has any."""
        shared = [
            self.under[ancestor] for ancestor in self.above(wnid) if ancestor in self.under and self.above(ancestor) & TANGIBLE
        ]
        return min(shared, key=len, default=[])


def read(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")


def relatives(tree: Tree, vectors: np.ndarray, stand_ins: list[int]) -> list[list[int]]:
    """Return each class's most similar stand-ins, by the angle between class vectors and by WordNet."""
    vectors = vectors - vectors.mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    result = []
    for index, wnid in enumerate(tree.wnids):
        scores = {}
        for other in stand_ins:
            common = tree.above(wnid) & tree.above(tree.wnids[other])
            kinship = -math.log(min(len(tree.under[ancestor]) for ancestor in common) / len(tree.wnids))
            scores[other] = float(vectors[index] @ vectors[other]) + TREE_WEIGHT * kinship / math.log(len(tree.wnids))
        ranked = sorted((other for other in stand_ins if other != index), key=lambda other: -scores[other])
        result.append(ranked[:RELATIVES])
    return result


def make_classes(tree: Tree, table: dict, tiny: set[str], vectors: np.ndarray) -> list[dict]:
    stand_ins = [index for index, wnid in enumerate(tree.wnids) if wnid in tiny]
    related = relatives(tree, vectors, stand_ins)
    classes = []
    for index, wnid in enumerate(tree.wnids):
        label = table["labels"].get(index, tree.names[wnid][0])
        names = dict.fromkeys([label, *tree.names[wnid], *table["names"].get(index, [])])
        link = urllib.parse.urlencode({"search": table["links"].get(index, label), "go": "Go"})
        classes.append(
            {
                "wnid": wnid,
                "label": label,
                "names": list(names),
                "link": f"https://en.wikipedia.org/wiki/Special:Search?{link}",
                "tiny": wnid in tiny,
                "relatives": related[index],
            }
        )
    labels = [fold(entry["label"]) for entry in classes]
    if doubled := {label for label in labels if labels.count(label) > 1}:
        raise SystemExit(f"labels must differ: {', '.join(sorted(doubled))}; see {WORDS_YAML.name}")
    return classes


def hand_made(tree: Tree, table: dict, section: str) -> dict[str, list[int]]:
    """Return a section of the table, references resolved."""

    def resolve(items: list) -> list[int]:
        found: list[int] = []
        for item in map(str, items):
            if item.isdigit():
                found.append(int(item))
            elif re.fullmatch(r"\d+-\d+", item):
                first, last = map(int, item.split("-"))
                found.extend(range(first, last + 1))
            elif re.fullmatch(r"n\d{8}", item):
                found.extend(tree.under[item])
            else:
                found.extend(resolve(table["words"][item]))
        return list(dict.fromkeys(found))

    return {key(fold(str(word))): resolve(items) for word, items in table[section].items()}


def derived(tree: Tree, classes: list[dict], taken: set[str]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Return words from WordNet or names: what is above a class or the last word of its names; and kinds of it.

    The kinds are separate: many are odd, and a typo should not lead to them.
    """
    words: dict[str, list[int]] = {}
    kinds: dict[str, list[int]] = {}

    def add(source: dict[str, list[int]], into: dict[str, list[int]]) -> None:
        for word, found in source.items():
            if len(word) > 2 and word not in words and taken.isdisjoint(variants(word)):
                into[word] = sorted(found)

    above: dict[str, list[int]] = {}
    for wnid, found in tree.under.items():
        if wnid not in tree.wnids and len(found) <= WIDEST_WORD:
            for name in tree.names[wnid]:
                word = key(fold(name))
                if len(found) > len(above.get(word, [])):
                    above[word] = found
    add(above, words)

    last: dict[str, set[int]] = defaultdict(set)
    for index, entry in enumerate(classes):
        for name in entry["names"]:
            if not LATIN.match(name) and " " in fold(name):
                last[fold(name).rsplit(" ", 1)[-1]].add(index)
    add({word: list(found) for word, found in last.items()}, words)

    below: dict[str, set[int]] = defaultdict(set)
    places = {wnid: index for index, wnid in enumerate(tree.wnids)}
    for wnid, names in tree.names.items():
        if tree.above(wnid) & LEFT_OUT:
            continue
        if wnid not in places and (parents := tree.above(wnid) & places.keys()):
            for name in names:
                if len(fold(name).split()) <= 3:
                    below[key(fold(name))].update(places[parent] for parent in parents)
    add({word: list(found) for word, found in below.items() if len(found) == 1}, kinds)
    return words, kinds


def make_nearby(tree: Tree, known: set[str]) -> dict[str, list[int]]:
    """Map real words outside the vocabulary to the nearest classes, or to none if they only must not pass for typos."""
    by_length: dict[int, list[str]] = defaultdict(list)
    for word in known:
        by_length[len(word)].append(word)

    def mistakable(word: str) -> bool:
        errors = allowed_errors(len(word))
        if not errors or len(word) > MAX_KEY:
            return False
        near = [other for length in range(len(word) - errors, len(word) + errors + 1) for other in by_length[length]]
        return process.extractOne(word, near, scorer=OSA.distance, score_cutoff=errors) is not None

    nearby: dict[str, list[int]] = {}
    people = {key(fold(name)) for wnid, names in tree.names.items() if tree.above(wnid) & LEFT_OUT for name in names}
    for wnid, names in tree.names.items():
        found = tree.nearest(wnid)
        for name in names:
            word = key(fold(name))
            if name != name.lower() or len(name.split()) > 2 or not 3 <= len(word) <= 20 or word in people:
                continue
            if any(variant in known for variant in variants(fold(name))):
                continue
            helpful = 0 < len(found) <= WIDEST_NEARBY and " " not in name
            if helpful and (not nearby.get(word) or len(found) < len(nearby[word])):
                nearby[word] = found
            elif word not in nearby and mistakable(word):
                nearby[word] = []
    return {word: spread(found) for word, found in sorted(nearby.items())}


def spread(found: list[int]) -> list[int]:
    """Return ``NEARBY_SHOWN`` of them at most, evenly taken."""
    if len(found) <= NEARBY_SHOWN:
        return found
    return [found[place * len(found) // NEARBY_SHOWN] for place in range(NEARBY_SHOWN)]


def write(
    path: Path,
    classes: list[dict],
    words: dict[str, list[int]],
    kinds: dict[str, list[int]],
    nearby: dict[str, list[int]],
    themes: list[list[int]],
) -> None:
    """Write JSON with one class, word or group a line, so that changes can be reviewed."""
    groups: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for word, found in nearby.items():
        groups[tuple(found)].append(word)
    rows = sorted(([list(found), " ".join(names)] for found, names in groups.items()), key=lambda row: row[0])

    def lines(items: Iterable[str]) -> str:
        return ",\n".join(items)

    def dump(item: object) -> str:
        return json.dumps(item, ensure_ascii=False)

    text = (
        '{\n"about": "ImageNet-1k\'s classes in index order, names from WordNet 3.0 (Princeton University); made by '
        "tools/make_classes.py. relatives: nearest of Tiny ImageNet. words: other meanings. kinds: odder ones. themes: idle. "
        'nearby: words outside the vocabulary, by the classes nearest to them.",\n'
        f'"classes": [\n{lines(map(dump, classes))}\n],\n'
        f'"words": {{\n{lines(f"{dump(word)}: {dump(found)}" for word, found in sorted(words.items()))}\n}},\n'
        f'"kinds": {{\n{lines(f"{dump(word)}: {dump(found)}" for word, found in sorted(kinds.items()))}\n}},\n'
        f'"themes": [\n{lines(map(dump, themes))}\n],\n'
        f'"nearby": [\n{lines(map(dump, rows))}\n]\n}}\n'
    )
    json.loads(text)
    path.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("wnids", "words", "is_a", "tiny_wnids", "weights"):
        parser.add_argument(name, type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()

    wnids = sorted(line.split()[0] for line in read(args.wnids) if line.strip())
    if len(set(wnids)) != 1000:
        raise SystemExit(f"{args.wnids} names {len(set(wnids))} classes, not 1000")
    names = {wnid: text.split(", ") for wnid, text in (line.split("\t") for line in read(args.words) if line)}
    links = [(pair[0], pair[1]) for pair in map(str.split, read(args.is_a)) if pair]
    tree = Tree(wnids, names, links)
    table = yaml.safe_load(WORDS_YAML.read_text(encoding="utf-8"))
    vectors = load_file(args.weights)["classifier.1.weight"].reshape(1000, -1)

    classes = make_classes(tree, table, set(read(args.tiny_wnids)), vectors)
    exact = {key(fold(name)) for entry in classes for name in entry["names"]}
    words = hand_made(tree, table, "words")
    labels = {key(fold(entry["label"])): index for index, entry in enumerate(classes)}
    if astray := [word for word, found in words.items() if word in labels and found != [labels[word]]]:
        raise SystemExit(f"a label must lead to its class alone, but not so in {WORDS_YAML.name}: {', '.join(astray)}")
    strangers = {word: list[int]() for word in table["talk"].split()} | hand_made(tree, table, "nearby")
    more, kinds = derived(tree, classes, exact | words.keys() | strangers.keys())
    words |= more
    nearby = make_nearby(tree, exact | words.keys() | kinds.keys()) | strangers
    write(args.output, classes, words, kinds, nearby, list(table["themes"].values()))
    print(f"{len(classes)} classes, {len(exact)} names, {len(words)} words, {len(kinds)} kinds, {len(nearby)} words nearby")


if __name__ == "__main__":
    main()

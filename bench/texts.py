"""Texts of chosen lengths in tokens, the same for every engine."""

import gzip
import json
import math
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SEED = 20261121
MIX = (6, 256)  # the lengths of MIX, drawn so that each doubling is equally frequent

# Name: tokens a text ([CLS] and [SEP] included; None: as MIX says), texts. Each set
# keeps two cores busy for some ten seconds, so that starting a process weighs nothing.
SETS = {"S16": (16, 20000), "S64": (64, 3000), "S128": (128, 1500), "MIX": (None, 3000)}


def read_faq(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            yield record["question"]
            yield record["answer"]


def read_questions(data):
    """Questions of the test data that may lie beside the project."""
    with open(data / "quora-dups-heldout/corpus.jsonl", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["text"]
    with gzip.open(data / "medquad/qa.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["question"]


PEOPLE = (
    "my neighbour|the nurse|a young teacher|our landlord|the bus driver|two students|"
    "her uncle|the mayor|an old sailor|nobody in the office|the baker's daughter|"
    "everyone"
).split("|")
ACTIONS = (
    "repaired|forgot|painted|borrowed|photographed|described|inherited|returned|"
    "misplaced|sold|carefully measured|never mentioned|would like to buy|"
    "has to register"
).split("|")
THINGS = (
    "the broken fence|a second-hand bicycle|an unpaid invoice|the kitchen window|"
    "a box of photographs|the insurance papers|her grandmother's recipe|"
    "a travel permit|the vegetable garden|an astronomical telescope|"
    "the heating system|a wooden boat"
).split("|")
TIMES = (
    "last Tuesday|before breakfast|after 17:30|during the long winter of 1987|"
    "twice a year|without telling anyone|because of the storm|for less than 40 euros|"
    "near the railway|although it was raining|at the end of the month|"
    "in spite of the new regulations"
).split("|")
OPENINGS = (
    "Did you know that|Is it true that|The newspaper says that|"
    "How can we find out whether|I was surprised to hear that|"
    "According to the minutes,|What happens if"
).split("|")


def make_sentences(rng, count):
    for _ in range(count):
        clause = " ".join(rng.choice(part) for part in (PEOPLE, ACTIONS, THINGS, TIMES))
        if rng.random() < 0.5:
            yield clause[0].upper() + clause[1:] + "."
        else:
            opening = rng.choice(OPENINGS)
            end = "?" if opening.split()[0] in ("Did", "Is", "How", "What") else "."
            yield f"{opening} {clause}{end}"


def sentences(rng):
    """Sentences in random order, and what they are, in words."""
    shared = ROOT.parent / "shared/data/questions"
    if shared.is_dir():
        found, source = list(read_questions(shared)), "questions of ../shared/data"
    else:
        print(f"encode: no {shared}: texts are our own", file=sys.stderr)
        found, source = list(make_sentences(rng, 40000)), "generated sentences"
        faq = ROOT / "docs/samples/faq.jsonl"
        if faq.is_file():
            found += read_faq(faq)
            source += " and docs/samples/faq.jsonl"
        else:
            print(f"encode: no {faq}: generated sentences only", file=sys.stderr)
    rng.shuffle(found)
    return found, source


class TextMaker:
    """Cuts texts of a given number of tokens out of sentences, round and round."""

    def __init__(self, tokenizer, found):
        self.tokenizer = tokenizer
        self.found = found
        self.next = 0
        self.costs = {}

    def cost(self, word):
        """Tokens of a word; words between blanks are tokenised one by one."""
        if word not in self.costs:
            ids = self.tokenizer.encode(word, add_special_tokens=False).ids
            self.costs[word] = len(ids)
        return self.costs[word]

    def make(self, n_tokens):
        """A text from the start of a sentence that fills n_tokens, or nearly so."""
        words, left = [], n_tokens - 2
        while left > 0:
            for word in self.found[self.next % len(self.found)].split():
                if self.cost(word) > left:
                    left = 0
                    break
                left -= self.cost(word)
                words.append(word)
            self.next += 1
        return " ".join(words)


def make_sets(names, tokenizer):
    """A dict of lists of texts, and the source of the texts in words."""
    rng = random.Random(SEED)
    found, source = sentences(rng)
    maker = TextMaker(tokenizer, found)
    low, high = (math.log(n) for n in MIX)
    sets = {}
    for name in names:
        n_tokens, count = SETS[name]
        sets[name] = [
            maker.make(n_tokens or round(math.exp(rng.uniform(low, high))))
            for _ in range(count)
        ]
    return sets, source

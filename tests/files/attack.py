"""Tries to get out of the folders that the machine has, as often as asked; what was reached is printed.

Run as root in a container that has the machine's whole tree of shared folders, while the host swaps folders for links.
"""

import os
import random
import sys
import unicodedata

tree, project, outside, hidden, count, seed = sys.argv[1:]
chance = random.Random(int(seed))
SECRET = b"OUTSIDE"

# The names of what is out of reach, however they may be written.
outside_name = os.path.basename(outside)
hidden_name = os.path.basename(hidden)
here = os.path.join(tree, project.lstrip("/"))
up = "/".join([".."] * len(project.strip("/").split("/")))
ways = [
    f"{tree}{outside}",
    f"{here}/{up}{outside}",
    f"{here}/../../{outside_name}",
    f"{here}/../{hidden_name}",
    f"{tree}{hidden}",
    f"{here}/host-swap",
    f"{here}/swap",
    f"{here}/to-outside",
    f"{here}/to-above",
    f"{here}/to-hidden",
    f"{here}/to-process",
    "/proc/self/cwd/../../" + outside_name,
    f"/proc/1/root{outside}",
    f"/proc/self/root{tree}{outside}",
]


def spelled(name):
    """The same name to a file system that takes case, form or trailing bytes lightly."""
    forms = [
        name.upper(),
        name.capitalize(),
        name.swapcase(),
        name + ".",
        name + " ",
        name + "\u200b",
        name + "/",
        name + "/.",
        name + "//",
        "./" + name,
        name + ":$DATA",
        name + "::$INDEX_ALLOCATION",
        name + "~1",
        "".join(chr(ord(letter) + 0xFEE0) for letter in name),
        unicodedata.normalize("NFD", name + "é"),
        name.replace("s", "ſ").replace("k", "\u212a"),
    ]
    return chance.choice(forms)


def link(target, name):
    try:
        os.symlink(target, os.path.join(here, name))
    except FileExistsError:
        pass


def reached(path):
    print("REACHED", path, flush=True)


def read(path):
    with open(path, "rb") as file:
        if SECRET in file.read(4096):
            reached(path)


def write(path):
    with open(os.path.join(os.path.dirname(path), "planted"), "wb") as file:
        file.write(b"planted")


def list_all(path):
    for name in os.listdir(os.path.dirname(path)):
        if name == "only-outside":
            reached(path)


def by_descriptor(path):
    folder = os.open(os.path.dirname(path), os.O_PATH)
    try:
        file = os.open("secret", os.O_RDONLY, dir_fd=folder)
        if SECRET in os.read(file, 4096):
            reached(path)
        os.close(file)
        file = os.open(f"../../{outside_name}/secret", os.O_RDONLY, dir_fd=folder)
        if SECRET in os.read(file, 4096):
            reached(path)
        os.close(file)
    finally:
        os.close(folder)


def move_in(path):
    os.rename(path, os.path.join(here, "moved"))


def move_out(path):
    name = os.path.join(here, f"mine-{os.getpid()}")
    open(name, "wb").close()
    os.rename(name, os.path.join(os.path.dirname(path), "planted"))


def link_in(path):
    name = os.path.join(here, f"linked-{os.getpid()}")
    os.link(path, name)
    read(name)
    os.unlink(name)


def swap():
    """A folder becomes a link and a folder again, in this race by the container itself."""
    a, b = os.path.join(here, "swap"), os.path.join(here, "swap-spare")
    if not os.path.lexists(a):
        os.mkdir(a)
    if not os.path.lexists(b):
        os.symlink(chance.choice([outside, f"../../{outside_name}", f"../{hidden_name}", "/proc/self/root"]), b)
    os.rename(a, a + str(os.getpid()))
    os.rename(b, a)
    os.rename(a + str(os.getpid()), b)


calls = [
    read,
    read,
    by_descriptor,
    write,
    list_all,
    move_in,
    move_out,
    link_in,
    os.unlink,
    lambda path: os.rmdir(os.path.dirname(path)),
    lambda path: os.chmod(path, 0o777),
    lambda path: os.truncate(path, 0),
    lambda path: os.setxattr(path, "user.planted", b"1"),
    lambda path: os.mkdir(os.path.join(os.path.dirname(path), "planted")),
]

link(outside, "to-outside")
link(f"../../{outside_name}", "to-above")
link(f"../{hidden_name}", "to-hidden")
link("/proc/self/root" + outside, "to-process")

tried = 0
for number in range(int(count)):
    way = chance.choice(ways)
    if number % 4 == 0:
        call, path = (lambda _: swap()), way
    else:
        call = chance.choice(calls)
        way = os.path.join(os.path.dirname(way), spelled(os.path.basename(way))) if chance.random() < 0.3 else way
        path = os.path.join(way, "secret")
    try:
        call(path)
    except (OSError, ValueError):
        pass
    tried += 1
print("tried", tried)

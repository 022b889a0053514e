#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# page.py - fill a manual page or a completion with what the programs say of themselves
# usage: page.py IN OUT [NAME=VALUE]...
#
# A line "@KIND ARGUMENT@" of IN becomes lines made by the function of that kind below; "@NAME@"
# within a line becomes VALUE. A NAME that ends in ".help", "vnicd.reference" and "vnic.h" name
# files: what a program prints, and the header; that of a script names the script.
import os
import re
import subprocess
import sys

values = {}


def text_of(name):
    with open(values[name]) as f:
        return f.read()


def escape(text, fill=True):
    """A line of text, for mdoc; a sentence begins a line."""
    text = text.replace("\\", "\\e").replace("`", "").replace("--", "\\-\\-")
    if fill:
        text = re.sub(r"(?<=[a-z)\]][.?!]) (?=[A-Z])", "\n", text)
    return "\\&" + text if text[:1] in (".", "'") else text


def words(text):
    """Words of a macro's line: none of them is a macro itself."""
    return " ".join(w if w in "|,[]" or not re.fullmatch(r"[A-Z%][A-Za-z0-9]{1,2}", w) else "\\&" + w
                    for w in text.split())


# ---- what a program prints for --help ----

def entries(name, pattern):
    """(what, text) of the entries whose first word matches; a text may go on below."""
    found, open_ = [], False
    for line in text_of(name + ".help").splitlines():
        m = re.match(r"  (%s.*?)(?: {2,}(\S.*))?$" % pattern, line)
        if m:
            found.append([m[1].strip(), m[2] or ""])
        elif open_ and re.match(r" {10,}\S", line):
            found[-1][1] = (found[-1][1] + "\n" + line.strip()).lstrip()
        elif line and not line.startswith(" "):
            pattern = pattern if not found else "(?!)"
        open_ = bool(m) or (open_ and line.startswith(" " * 10))
    if not found:
        sys.exit("page.py: %s: no entries in its help" % name)
    return found


def options(name):
    return entries(name, "-")


def commands(name):
    return entries(name, "[a-z]")


# ---- vnicd's reference: sections, their keys, and the rules of ids ----

def sections():
    """{section: (named, help, [(key, type, default, allowed, meaning)])}"""
    found, at = {}, None
    lines = text_of("vnicd.reference").splitlines()
    for i, line in enumerate(lines):
        if m := re.match(r"## `\[(\w+)( NAME)?\]`", line):
            at = found.setdefault(m[1], (bool(m[2]), lines[i + 2], []))[2]
        elif at is not None and line.startswith("| `"):
            cells = [c.strip() for c in line.strip("| ").split(" | ")]
            if len(cells) != 5:
                sys.exit("page.py: not five cells: " + line)
            at.append((cells[0].strip("`"), *cells[1:]))
    return found


def choices(key):
    """The words that it may be, or nothing."""
    return key[3].replace(",", "").split() if key[1] == "choice" else []


# ---- vnic.h: its parts, and the functions of each ----

THREADS = r"(?:any|setup|sender|receiver|data|control)\b"
COMMENT = r"^/\*(?:[^*]|\*(?!/))*\*/"
PROTOTYPE = r"^(?:static inline )?[a-z][\w ]*[ *](vnic_\w+)\(((?:[^()]|\([^()]*\))*)\)\s*[;{]"


def first_words(said):
    """Of a comment: what the function does, in a sentence."""
    said = re.split(r"\s\[[A-Z]|\s{2,}|\s->|(?:^|[.;] )Errors?\b|(?:^|[.;] )-E[A-Z]|^ENOMEM|^----", said)[0]
    parts = re.split(r"(?<=[.;])\s", said.strip())
    short = parts[0] if " " in parts[0] or len(parts) == 1 else " ".join(parts[:2])
    return (short if short.count("(") == short.count(")") else said).rstrip(".:; ")


def functions():
    """[(part, [(function, [argument], threads, sentence)])]; a function whose comment names no
    thread is for those of the one before it."""
    header, parts, threads, sentence, end = text_of("vnic.h"), [], "any", "", 0
    for m in re.finditer(COMMENT + "|" + PROTOTYPE, header, re.M):
        if m[1]:
            args = re.split(r",\s*(?![^()]*\))", " ".join(m[2].split()))
            beside = re.match(r"[ \t]*/\* (%s)" % THREADS, header[m.end():])
            threads = beside[1] if beside else threads
            parts[-1][1].append((m[1], args, threads, sentence if m.start() == end + 1 else ""))
            continue
        said, end = re.sub(r"\s*\n \*\s?", " ", m[0][2:-2]).strip(), m.end()
        if part := re.match(r"---- (.*?) ----", said):
            parts.append((part[1], []))
        elif who := re.match(r"(%s[^:.;]*)(?:[:.;] ?|$)(.*)" % THREADS, said):
            threads, said = who[1], who[2]
        sentence = first_words(said)
    return parts


# ---- the kinds ----

def make_options(name):
    yield ".Bl -tag -width Ds"
    for what, text in options(name):
        forms = []
        for form in what.split(", "):
            flag, _, argument = form.partition(" ")
            forms.append("Fl " + flag[1:] + (" Ar " + words(argument) if argument else ""))
        yield ".It " + " , ".join(forms)
        for line in text.splitlines():
            yield escape(line)
    yield ".El"


def make_commands(name):
    yield ".Bl -tag -width Ds"
    for what, text in commands(name):
        yield ".It Cm " + words(what)
        for line in text.splitlines():
            yield escape(line)
    yield ".El"


def literal(text):
    yield ".Bd -literal"
    for line in text.rstrip().splitlines():
        yield escape(line, False)
    yield ".Ed"


def news(text, known):
    """Paragraphs of a help without those, and the options, that another has."""
    for paragraph in text.rstrip().split("\n\n"):
        title, *parts = re.split(r"\n(?=  \S)", paragraph)
        parts = [p for p in parts if "\n" + re.split(r" {2,}|\n", p.lstrip())[0] not in known]
        if "\n" + paragraph + "\n" not in known and (parts or not title.endswith(":")):
            yield "\n".join([title] + parts)


def make_help(name):
    """As it stands, and below it that of each command: indented by four, as argparse has it."""
    whole = text_of(name + ".help")
    yield from literal(whole)
    known = "\n" + re.sub(r"\n +", "\n", whole) + "\n" + whole
    for command in re.findall(r"^ {4}([a-z][\w-]*) ", whole, re.M):
        said = subprocess.run([values[name], command, "--help"], check=True, capture_output=True, text=True,
                              env=dict(os.environ, COLUMNS="76"))
        yield ".Ss " + command
        yield from literal("\n\n".join(news(said.stdout, known)))


def make_keys(section):
    yield ".Bl -tag -width Ds"
    for key, _, default, allowed, meaning in sections()[section][2]:
        yield ".It Cm " + words(key)
        yield escape(meaning[:1].upper() + meaning[1:]).rstrip(".") + "."
        yield escape("%s; %s." % (allowed, default if default == "required" else "default " + default))
    yield ".El"


def make_rules(_):
    yield ".Bl -tag -width Ds"
    for form, text in re.findall(r"^- `([a-z][^`]*)`: (.*)$", text_of("vnicd.reference").split("## `[face")[1],
                                 re.M):
        yield ".It Cm " + words(form)
        yield escape(text) + "."
    yield ".El"


def make_functions(_):
    for part, found in functions():
        if not found:
            continue
        yield ".Ss " + part[:1].upper() + part[1:]
        yield ".Bl -tag -width Ds"
        for name, args, threads, sentence in found:
            yield ".It Fn %s %s" % (name, " ".join('"%s"' % a for a in args))
            yield escape(("[%s] %s" % (threads, sentence)).strip())
        yield ".El"


def make_flags(name):
    """Of a shell: the long options, in one line."""
    found = [w for what, _ in options(name) for w in re.findall(r"--[a-z][\w-]*", what)]
    if name == "vnicd":
        found += ["--" + key[0] for key in sections()["vnicd"][2]]
    yield '\tlocal flags="%s"' % " ".join(dict.fromkeys(found))


def make_words(name):
    yield '\tlocal commands="%s"' % " ".join(what.split()[0] for what, _ in commands(name))


def make_choices(_):
    """Of a shell: cases SECTION.KEY) words of those keys that have a choice."""
    for section, (_, _, found) in sections().items():
        for key in found:
            if choices(key):
                yield '\t%s.%s) echo "%s" ;;' % (section, key[0], " ".join(choices(key)))


def make_sections(_):
    """Of a shell: cases SECTION) its keys."""
    for section, (_, _, found) in sections().items():
        yield '\t%s) echo "%s" ;;' % (section, " ".join(key[0] for key in found))


def make(line):
    if m := re.fullmatch(r"@([A-Z]+)(?: (\S+))?@\n", line):
        kind = globals().get("make_" + m[1].lower())
        if kind is None:
            sys.exit("page.py: no such kind: " + line.strip())
        return "".join(out + "\n" for out in kind(m[2]))
    return re.sub(r"@([a-z]+)@", lambda m: values[m[1]], line)


def main():
    source, target, *given = sys.argv[1:]
    values.update(g.split("=", 1) for g in given)
    with open(source) as f:
        made = "".join(make(line) for line in f)
    with open(target, "w") as f:
        f.write(made)


if __name__ == "__main__":
    main()

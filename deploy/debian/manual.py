"""Makes culvert(1), in man(7), of what `culvert --experimental-dump-help` says.

usage: culvert --experimental-dump-help | manual.py VERSION >culvert.1
"""

import json
import sys


def text(words):
    """Words as roff has them: no escape, no request, hyphens that can be typed."""
    escaped = (words or "").replace("\\", "\\e").replace("-", "\\-")
    lines = escaped.splitlines()
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in lines)


def paragraphs(words):
    """A discussion: indented lines are examples, and stay as they are."""
    for paragraph in (words or "").split("\n\n"):
        if not paragraph.strip():
            continue
        print(".PP")
        if any(line.startswith("  ") for line in paragraph.splitlines()):
            print(".nf\n%s\n.fi" % text(paragraph))
        else:
            print(text(paragraph))


def names(argument):
    """An option or argument as it is typed."""
    if argument["kind"] == "positional":
        return "\\fI%s\\fR" % text(argument["valueName"].upper())
    spelled = [
        ("\\-\\-" if name["kind"] == "long" else "\\-") + text(name["name"])
        for name in argument["names"]
    ]
    value = "" if argument["kind"] == "flag" else " \\fI%s\\fR" % text(argument["valueName"].upper())
    return ", ".join("\\fB%s\\fR%s" % (name, value) for name in spelled)


def describe(command, path):
    """A command, then those below it."""
    arguments = [one for one in command.get("arguments", []) if one["shouldDisplay"]]
    own = [
        one for one in arguments
        if not {"help", "version"} & {name["name"] for name in one.get("names", [])}
    ]
    print(".SS %s" % text(" ".join(path)))
    print(text(command.get("abstract")))
    paragraphs(command.get("discussion"))
    for argument in own:
        print(".TP\n%s\n%s" % (names(argument), text(argument.get("abstract"))))
        if argument.get("defaultValue"):
            print("Default: %s." % text(argument["defaultValue"]))
    for below in command.get("subcommands", []):
        if below["commandName"] != "help":
            describe(below, path + [below["commandName"]])


root = json.load(sys.stdin)["command"]
print('.TH CULVERT 1 "" "culvert %s" "User Commands"' % text(sys.argv[1]))
print(".SH NAME\nculvert \\- tunnel for HTTP and TCP out from under a firewall")
print(".SH SYNOPSIS\n.B culvert\n\\fICOMMAND\\fR [\\fIOPTION\\fR]...")
print(".SH DESCRIPTION\n%s" % text(root["abstract"]))
paragraphs(root["discussion"])
print(".SH COMMANDS")
for command in root["subcommands"]:
    if command["commandName"] != "help":
        describe(command, ["culvert", command["commandName"]])
print(".SH FILES")
print(".TP\n.I /etc/culvert/edge.yml\nAn edge's configuration; edge.yml.example has every key.")
print(".TP\n.I /etc/culvert/config.yml\nA connector's configuration; config.yml.example has every key.")
print(".TP\n.I ~/.culvert/dns.yml\nDNS providers; /usr/share/doc/culvert/examples/dns.yml has every key.")
print(".TP\n.I ~/.culvert\nLogins and tunnels of a user, if CULVERT_HOME names no other folder.")

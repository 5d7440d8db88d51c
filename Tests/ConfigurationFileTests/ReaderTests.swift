import Foundation
import Testing

@testable import ConfigurationFile

/// Reads a text whose keys are `name` (text), `count` (1...5), `list` (of text), `inner` (with `name`
/// and `flag`), `wait`, `size`; gives what was read, or the problems, a line each.
private func read(_ text: String) -> (values: [String: String], problems: [String]) {
    let reader = ConfigurationReader(file: "c.yml", home: "/home/me")
    let root = reader.root(of: text)
    var values: [String: String] = [:]
    values["name"] = root.take("name")?.string()
    values["count"] = root.take("count")?.int(1...5).map { "\($0)" }
    values["list"] = root.take("list")?.elements()?.compactMap { $0.string() }.joined(
        separator: ","
    )
    for key in ["inner", "other"] {
        guard let inner = root.take(key)?.mapping() else { continue }
        values["\(key).name"] = inner.take("name")?.string()
        values["\(key).flag"] = inner.take("flag")?.bool().map { "\($0)" }
        inner.finish()
    }
    values["wait"] = root.take("wait")?.duration(.zero ... .seconds(60))?.written
    values["size"] = root.take("size")?.byteSize(1024...4096).map { "\($0)" }
    values["file"] = root.take("file")?.filePath()
    root.finish()
    do {
        try reader.finish()
        return (values, [])
    } catch {
        return (values, error.problems.map(\.description))
    }
}

@Suite struct ReaderTests {
    @Test func readsEverything() {
        let text = """
            name: a  # a comment
            count: 3
            list: [x, "y: z", 5]
            inner: {name: 'n', flag: yes}
            wait: 1m
            size: 2KiB
            file: sub/f.pem
            """
        let (values, problems) = read(text)
        #expect(problems == [])
        let expected = [
            "name": "a", "count": "3", "list": "x,y: z,5", "inner.name": "n", "inner.flag": "true",
            "wait": "1m", "size": "2048", "file": "sub/f.pem",
        ]
        #expect(values == expected)
    }

    @Test func everyProblemIsReportedAtOnceInOrder() {
        let text = """
            name: [a]
            count: 9
            cuont: 1
            list: x
            inner:
              flag: perhaps
              falg: true
              name: {}
            wait: 30 seconds
            size: 1GiB
            other: 5
            """
        #expect(
            read(text).problems == [
                "c.yml:1:7: name: expected text, found a list",
                "c.yml:2:8: count: has to be from 1 to 5, found 9",
                "c.yml:3:1: cuont: unknown key; did you mean `count`?",
                "c.yml:4:7: list: expected a list (lines that begin with -), found \"x\"",
                "c.yml:6:9: inner.flag: expected true or false, found \"perhaps\"",
                "c.yml:7:3: inner.falg: unknown key; did you mean `flag`?",
                "c.yml:8:9: inner.name: expected text, found a mapping",
                "c.yml:9:7: wait: expected a time such as 30s, 1m30s or 500ms, found \"30 seconds\"",
                "c.yml:10:7: size: has to be from 1KiB to 4KiB, found 1GiB",
                "c.yml:11:8: other: expected `key: value` lines, found \"5\"",
            ]
        )
    }

    @Test(arguments: [
        ("", "c.yml:1:1: the file is empty"),
        ("# only a comment\n", "c.yml:1:1: the file is empty"),
        ("---\n", "c.yml:1:1: the file is empty"), ("~", "c.yml:1:1: the file is empty"),
        ("- a\n- b", "c.yml:1:1: expected `key: value` lines, found a list"),
        ("just words", "c.yml:1:1: expected `key: value` lines, found \"just words\""),
        ("name: a\n\tcount: 1", "c.yml:2:1: not valid YAML: found a tab character"),
        ("name: a\n  count: 1", "c.yml:2:8: not valid YAML: mapping values are not allowed"),
        ("name: a\nlist: [a, b\n", "c.yml:3:1: not valid YAML: did not find expected ',' or ']'"),
        ("name: *.example.com", "c.yml:1:8: not valid YAML: did not find expected alphabetic"),
        ("name: *nobody", "c.yml:1:7: the alias `*nobody` has no anchor `&nobody` before it"),
        ("name: a\n---\nname: b", "c.yml:2:1: not valid YAML: but found another document"),
        ("count: 2\nname: \"a\n", "c.yml:3:1: not valid YAML: found unexpected end of stream"),
        ("name: a\u{07}", "c.yml: not readable as YAML: control characters are not allowed"),
        ("name: \u{E000}", "c.yml: the file has characters of Unicode's private use area"),
        ("? [a]\n: b\nname: c", "c.yml:1:3: a key has to be a plain name"),
    ])
    func brokenFiles(text: String, problem: String) {
        let problems = read(text).problems
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix(problem) == true, "\(problems.first ?? "")")
    }

    @Test func hintsHelp() {
        #expect(read("name: *.example.com").problems[0].hasSuffix("quoted: \"*.example.com\""))
        #expect(read("name: a\n\tcount: 1").problems[0].contains("indent with spaces"))
    }

    @Test func nullsAreNotGiven() {
        let (values, problems) = read("name:\ncount: ~\nlist: null\ninner:\nwait: ''\n")
        #expect(values == [:])
        #expect(problems.map { $0.prefix(13) } == ["c.yml:5:7: wa"])
    }

    @Test func windowsLinesAndAByteOrderMarkAreFine() {
        let (values, problems) = read("\u{FEFF}name: a\r\ncount: 2\r\n")
        #expect(problems == [])
        #expect(values == ["name": "a", "count": "2"])
    }

    @Test func shortTextsAreReadRight() {
        #expect(read("name: a").values == ["name": "a"])
        #expect(read("name: abcdefghi").values == ["name": "abcdefghi"])
    }

    // MARK: Duplicate keys

    @Test(arguments: [
        (
            "name: a\ncount: 1\nname: b\n",
            ["c.yml:3:1: `name` is given more than once here, first on line 1"]
        ),
        (
            "name: a\nname: b\nname: c\n",
            [
                "c.yml:2:1: `name` is given more than once here, first on line 1",
                "c.yml:3:1: `name` is given more than once here, first on line 1",
            ]
        ),
        (
            "name: a\ncount: 1\ncount: 2\nname: b\nbogus: 1\n",
            [
                "c.yml:3:1: `count` is given more than once here, first on line 2",
                "c.yml:4:1: `name` is given more than once here, first on line 1",
                "c.yml:5:1: bogus: unknown key",
            ]
        ),
        (
            "inner: {name: a, flag: no, name: b}\n",
            ["c.yml:1:28: `name` is given more than once here, first on line 1"]
        ),
        (
            "inner:\n  name: a\n  'name': b\nother:\n  \"flag\": yes\n  flag: no\n",
            [
                "c.yml:3:3: `name` is given more than once here, first on line 2",
                "c.yml:6:3: `flag` is given more than once here, first on line 5",
            ]
        ),
    ])
    func duplicateKeys(text: String, problems: [String]) {
        #expect(read(text).problems == problems)
    }

    @Test func duplicatesThatCannotBeRenamedAreStillReported() {
        let text = "name: a\n\"n\\x61me\": b\n\"n\\x61me\": c\n"
        #expect(read(text).problems.count >= 1)
        let many = String(repeating: "name: a\n", count: 200)
        #expect(read(many).problems.count >= 1)
    }

    // MARK: Aliases

    @Test func aliasesAndMergeKeys() {
        let text = """
            inner: &defaults {name: a, flag: true}
            other:
              <<: *defaults
              name: b
            name: &n x
            list: [*n, "*n", '*', a*b, *n]  # *n
            """
        let (values, problems) = read(text)
        #expect(problems == [])
        let expected = [
            "inner.name": "a", "inner.flag": "true", "other.name": "b", "other.flag": "true",
            "name": "x", "list": "x,*n,*,a*b,x",
        ]
        #expect(values == expected)
    }

    @Test func severalMergesAndTheFirstWins() {
        let text = """
            inner: &a {name: a}
            other:
              <<: [*a, {name: c, flag: false}]
            """
        #expect(read(text).values["other.name"] == "a")
        #expect(read(text).values["other.flag"] == "false")
    }

    @Test func anAnchorsProblemIsReportedOnce() {
        let text = "inner: &a {flag: 7}\nother: *a\n"
        let expected = ["c.yml:1:18: inner.flag: expected true or false, found \"7\""]
        #expect(read(text).problems == expected)
    }

    @Test(arguments: [
        "inner: &a {name: *a}\n", "name: *late\nlist: [&late x]\n",
        "list: &l [*l, *l]\n",
    ])
    func aliasesReachOnlyWhatIsComplete(text: String) {
        let problems = read(text).problems
        #expect(problems.contains { $0.contains("alias") }, "\(problems)")
    }

    @Test(.timeLimit(.minutes(1)), arguments: ["list", "key"])
    func aBillionLaughsAreRefused(place: String) {
        var text = "list:\n  - &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
        for level in 1..<30 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "  - &a\(level) [\(aliases)]\n"
        }
        if place == "key" { text += "? *a29\n: x\n" }
        let problems = read(text).problems
        #expect(
            problems.contains { $0.contains("more than 50000 values") },
            "\(problems.first ?? "")"
        )
        #expect(problems.count < 20)
    }

    @Test(.timeLimit(.minutes(1)), arguments: ["[", "{a: ", "- ", "? ", "a:\n  "])
    func deepNestingIsRefused(opening: String) {
        for depth in [100, 900, 5_000, 100_000] {
            #expect(
                !read("name: a\nlist: \(String(repeating: opening, count: depth))").problems.isEmpty
            )
            #expect(!read(String(repeating: opening, count: depth)).problems.isEmpty)
        }
    }

    @Test(.timeLimit(.minutes(1))) func problemsAreLimited() {
        let name = String(repeating: "k", count: 15)
        #expect(read((0..<20_000).map { "\(name)\($0): 1\n" }.joined()).problems.count == 1_000)
    }

    @Test func sizeIsLimited() {
        let text = "name: " + String(repeating: "a", count: 1 << 20)
        #expect(read(text).problems == ["c.yml: the file is larger than 1 MiB"])
    }

    // MARK: Files

    @Test func files() throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "c-\(UInt64.random(in: 0 ... .max))"
        )
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "c.yml").path
        func message() -> String? {
            do {
                _ = try ConfigurationReader.text(ofFile: path)
                return nil
            } catch {
                return error.description
            }
        }
        #expect(message() == "\(path): no such file")
        try Data("name: é".utf8).write(to: URL(filePath: path))
        #expect(message() == nil)
        #expect(try ConfigurationReader.text(ofFile: path) == "name: é")
        try Data([0x61, 0xFF]).write(to: URL(filePath: path))
        #expect(message() == "\(path): is not UTF-8 text")
        try Data().write(to: URL(filePath: path))
        #expect(try ConfigurationReader.text(ofFile: path) == "")
        #expect(throws: ConfigurationProblems.self) {
            try ConfigurationReader.text(ofFile: folder.path)
        }
    }

    @Test(arguments: [
        ("/etc/a/c.yml", "/abs", "/abs"), ("/etc/a/c.yml", "rel/f", "/etc/a/rel/f"),
        ("c.yml", "rel", "rel"), ("d/c.yml", "rel", "d/rel"), ("c.yml", "~/f", "/home/me/f"),
        ("c.yml", "~you/f", "~you/f"),
    ])
    func relativePaths(file: String, path: String, resolved: String) {
        let reader = ConfigurationReader(file: file, home: "/home/me")
        #expect(reader.resolve(path: path) == resolved)
    }
}

import ConfigurationFile
import Testing

@testable import CulvertConnector

/// How several tunnels are named, and what of it makes no sense.
@Suite struct TunnelSelectionTests {
    @Test(
        "of one tunnel, name, file, token, key and service may all say something",
        arguments: [
            TunnelSelection(), TunnelSelection(names: ["demo"]), TunnelSelection(files: ["a.yml"]),
            TunnelSelection(tokens: ["CULVERT_TOKEN"]),
            TunnelSelection(names: ["demo"], files: ["a.yml"], tokens: ["--token"], hasURL: true),
            TunnelSelection(names: ["demo"], hasCredentialsFile: true, hasURL: true),
        ]
    )
    func single(selection: TunnelSelection) {
        #expect(selection.count == 1)
        #expect(selection.mistakes == [])
    }

    @Test(
        "several names, files or tokens are several tunnels; a single file may be all of theirs",
        arguments: [
            TunnelSelection(names: ["demo", "shop"]),
            TunnelSelection(names: ["demo", "shop"], files: ["all.yml"]),
            TunnelSelection(files: ["a.yml", "b.yml"]), TunnelSelection(tokens: ["a", "b"]),
            TunnelSelection(files: ["all.yml"], tokens: ["a", "-"]),
            TunnelSelection(files: ["a.yml", "b.yml"], tokens: ["CULVERT_TOKEN"]),
            TunnelSelection(files: ["a.yml", "b.yml"], tokens: ["a", "b"]),
        ]
    )
    func several(selection: TunnelSelection) {
        #expect(selection.count == 2)
        #expect(selection.mistakes == [])
    }

    @Test(
        "what makes no sense with several is said, with what to do",
        arguments: [
            (
                TunnelSelection(names: ["demo"], files: ["a.yml", "b.yml"]),
                "leave out demo, or all --config but one."
            ),
            (
                TunnelSelection(names: ["demo", "shop"], files: ["a.yml", "b.yml"]),
                "leave out demo and shop, or all --config but one."
            ),
            (
                TunnelSelection(names: ["demo", "shop"], tokens: ["CULVERT_TOKEN"]),
                "leave out demo and shop, or CULVERT_TOKEN."
            ),
            (
                TunnelSelection(names: ["demo"], tokens: ["a", "b", "c"]),
                "leave out demo, or a, b and c."
            ),
            (
                TunnelSelection(names: ["demo", "shop"], hasURL: true),
                "give each its rules in a file, with --config FILE --config FILE."
            ),
            (TunnelSelection(files: ["a.yml", "b.yml"], hasURL: true), "these are 2 tunnels"),
            (TunnelSelection(tokens: ["a", "b", "c"], hasURL: true), "these are 3 tunnels"),
            (
                TunnelSelection(names: ["demo", "shop"], hasCredentialsFile: true),
                "`credentials-file` in the file of each"
            ),
            (TunnelSelection(tokens: ["-", "a", "-"]), "name files for the others"),
        ]
    )
    func mistakes(selection: TunnelSelection, words: String) {
        #expect(selection.mistakes.count == 1, "\(selection.mistakes)")
        #expect(selection.mistakes.first?.contains(words) == true, "\(selection.mistakes)")
    }

    @Test("all mistakes are said at once")
    func all() {
        let selection = TunnelSelection(
            names: ["demo"],
            files: ["a.yml", "b.yml"],
            tokens: ["-", "-"],
            hasCredentialsFile: true,
            hasURL: true
        )
        #expect(selection.mistakes.count == 5)
    }

    @Test("a file that is for one tunnel is not that of all")
    func shared() throws {
        let selection = TunnelSelection(names: ["demo", "shop", "blog"])
        var configuration = ConnectorConfiguration()
        #expect(selection.mistake(ofShared: "all.yml", configuration) == nil)
        configuration.credentialsFile = "demo.json"
        let key = try #require(selection.mistake(ofShared: "all.yml", configuration))
        #expect(key.hasPrefix("all.yml is for one tunnel (`credentials-file`), and these are 3: "))
        configuration.tunnel = "demo"
        let tunnel = try #require(selection.mistake(ofShared: "all.yml", configuration))
        #expect(tunnel.contains("(`tunnel: demo`)"))
    }
}

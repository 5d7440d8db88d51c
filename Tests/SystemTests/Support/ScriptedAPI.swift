import Foundation

/// Stands in for an edge's API, as `https://api.example.test`: the server of ControlClientTests.
struct ScriptedAPI {
    /// What is answered to one request.
    struct Answer: Encodable {
        var status: Int
        var type: String
        var body: String

        init(_ body: String, status: Int = 200, type: String = "application/json") {
            self.status = status
            self.type = type
            self.body = body
        }

        static let empty = Self("", status: 204)

        static func problem(_ code: String, _ status: Int, _ detail: String) -> Self {
            Self(
                #"{"type":"urn:culvert:problem:\#(code)","title":"t","status":\#(status),"#
                    + #""detail":"\#(detail)","code":"\#(code)"}"#,
                status: status,
                type: "application/problem+json"
            )
        }
    }

    let process: ManagedProcess
    let port: Int
    private let directory: TemporaryDirectory
    private let authority: String

    /// - Parameters:
    ///   - script: Answers to `METHOD /target`; the last is given for ever.
    ///   - directory: Where its files go.
    /// - Throws: `TestFailure` when it does not listen.
    init(_ script: [String: [Answer]], in directory: TemporaryDirectory) throws {
        let certificates = try Certificates.shared.get()
        try directory.write(try JSONEncoder().encode(script), to: "script.json")
        self.directory = directory
        self.authority = certificates.authority
        self.process = try ManagedProcess(
            Programs.python,
            [
                Programs.script("../../ControlClientTests/Programs/edge.py"),
                certificates.edge.certificate, certificates.edge.key,
                directory.file("script.json"), directory.file("api.log"),
            ],
            in: directory
        )
        self.port = Int(try self.process.line("^[0-9]+$")) ?? 0
    }

    /// What a command has to be told to get here.
    var options: [String] {
        ["--ca-file", self.authority, "--edge-address", "127.0.0.1:\(self.port)"]
    }

    /// Leaves a login in a home, as `culvert login` does.
    func logIn(_ home: Home) throws {
        try home.write(
            """
            {"edge": "https://api.example.test", "token": "cvs_x", "account": "ann",
             "ca-file": "\(self.authority)", "edge-address": "127.0.0.1:\(self.port)"}
            """,
            to: "login.json"
        )
    }

    /// What was asked so far, as `METHOD /target`.
    var asked: [String] {
        self.directory.text("api.log").split(separator: "\n").compactMap {
            String($0).firstMatch(#""request": "([^"]*)""#)
        }
    }

    /// A tunnel's document.
    static func tunnel(_ id: String, name: String, key: String) -> String {
        #"{"id":"\#(id)","name":"\#(name)","owner":"ann","created_at":"2026-11-27T20:00:00Z","#
            + #""hostnames":["app.example.test"],"keys":[{"public_key":"\#(key)","label":"first","#
            + #""created_at":"2026-11-27T20:00:00Z"}],"connectors":[]}"#
    }
}

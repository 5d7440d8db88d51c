import ConfigurationFile
import ControlAPI
import Foundation

@testable import ControlClient

/// A real HTTPS server that gives the answers of a script and remembers what it was asked.
final class ScriptedEdge {
    /// What is answered to one request.
    struct Answer: Encodable {
        var status = 200
        var type = "application/json"
        var body = ""
        var headers: [String: String] = [:]
        var bytes: Int?
        var hang: Bool?

        static func document(_ document: some Encodable, status: Int = 200) throws -> Self {
            let data = try APICoding.encoder.encode(document)
            return Self(status: status, body: String(decoding: data, as: UTF8.self))
        }

        static func problem(_ code: APIProblem.Code, _ detail: String) throws -> Self {
            var answer = try self.document(APIProblem(code, detail), status: code.status)
            answer.type = "application/problem+json"
            return answer
        }

        static let empty = Self(status: 204)
    }

    /// What was asked.
    struct Request: Decodable {
        /// `GET /api/v1/…`.
        var request: String
        /// Names in lower case.
        var headers: [String: String]
        var body: String
    }

    let certificate: TestCertificate
    let port: Int
    private let directory: TemporaryDirectory
    private let server: PythonServer

    /// Each answer is given once, the last of each request for ever.
    init(_ script: [String: [Answer]] = [:]) throws {
        self.certificate = try TestCertificate.shared.get()
        self.directory = try TemporaryDirectory()
        let text = String(decoding: try JSONEncoder().encode(script), as: UTF8.self)
        try self.directory.write(text, to: "script.json")
        self.server = try PythonServer(
            "edge.py",
            [
                self.certificate.certificate, self.certificate.key,
                self.directory.file("script.json"), self.directory.file("log"),
            ]
        )
        self.port = self.server.port
    }

    /// How a client gets here: by another address than its name's.
    func options(_ edge: String = "https://edge.test") throws -> ControlClient.Options {
        var options = ControlClient.Options(edge: try EdgeURL(edge), agent: "culvert/test")
        options.address = HostPort(host: "127.0.0.1", port: self.port)
        options.caFile = self.certificate.authority
        options.token = "cvs_a-secret"
        return options
    }

    /// Runs `body` with a client that is logged in.
    func client<Result>(_ body: (ControlClient) async throws -> Result) async throws -> Result {
        try await ControlClient.with(self.options(), body)
    }

    /// The error that `body` ends with.
    func error(
        _ options: ControlClient.Options? = nil,
        _ body: (ControlClient) async throws -> Void = { _ = try await $0.account() }
    ) async throws -> ControlClientError {
        do {
            try await ControlClient.with(try options ?? self.options(), body)
        } catch let error as ControlClientError {
            return error
        }
        throw TestFailure("there was no error")
    }

    /// All that was asked so far.
    func requests() throws -> [Request] {
        let data = FileManager.default.contents(atPath: self.directory.file("log")) ?? Data()
        return try data.split(separator: UInt8(ascii: "\n")).map {
            try JSONDecoder().decode(Request.self, from: Data($0))
        }
    }
}

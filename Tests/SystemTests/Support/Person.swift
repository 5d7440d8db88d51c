import Foundation
import Testing

/// Somebody with a home of his own, at an edge.
struct Person {
    let deployment: Deployment
    private let place: Home

    var home: String { self.place.path }

    /// Invited and logged in; on a machine of another name if one is given.
    init(
        _ name: String,
        at deployment: Deployment,
        _ options: [String] = [],
        on machine: String? = nil
    ) throws {
        self.deployment = deployment
        self.place = try Home(
            deployment.directory,
            named: "home-\(name)-\(machine ?? "here")",
            on: machine
        )
        let code = try Self.invite(name, at: deployment, options)
        let login = try self.run(self.loginWords, ["CULVERT_ENROLMENT=\(code)"])
        try #require(login.status == 0, "\(login.errors)")
    }

    /// A code of the edge's own machine.
    static func invite(
        _ name: String,
        at deployment: Deployment,
        _ options: [String] = []
    ) throws -> String {
        let invited = try Finished(
            Programs.culvert,
            ["edge", "invite", name, "--config", deployment.directory.file("edge.yml")]
                + options,
            in: deployment.directory
        )
        return try #require(
            invited.output.firstMatch(#"#(cve_[A-Za-z0-9_-]+)"#),
            "\(invited.errors)"
        )
    }

    var loginWords: [String] {
        [
            "login", "https://edge.example.test:\(self.deployment.port)", "--ca-file",
            self.deployment.certificates.authority, "--edge-address",
            "127.0.0.1:\(self.deployment.port)",
        ]
    }

    func run(_ arguments: [String], _ environment: [String] = []) throws -> Finished {
        try self.place.run(arguments, environment)
    }

    /// Runs a command that has to succeed, and gives its output.
    @discardableResult
    func ok(_ arguments: [String]) throws -> String {
        let finished = try self.run(arguments)
        try #require(finished.status == 0, "\(arguments): \(finished.errors)")
        return finished.output
    }

    func start(
        _ arguments: [String],
        _ environment: [String] = []
    ) throws -> ManagedProcess { try self.place.start(arguments, environment) }

    /// A connector of a tunnel, connected.
    func connect(_ words: [String], to origin: Origin) throws -> ManagedProcess {
        let connector = try self.start(
            ["tunnel", "run"] + words + ["--url", "http://127.0.0.1:\(origin.port)"]
        )
        try connector.line("Connected to the edge")
        return connector
    }
}

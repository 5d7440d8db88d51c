import ArgumentParser
import ConfigurationFile
import ControlAPI
import ControlClient
import Foundation

/// `culvert login`.
struct LoginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login",
        abstract: "Log in to an edge.",
        discussion: """
            Shows a URL and a short code: open the one in any browser, where you are let in as the \
            account that you are logged in as there. With an enrolment code (cve_…), which an admin \
            hands out, no browser is needed; in $CULVERT_ENROLMENT or on standard input it stays out \
            of `ps`. Whoever is logged in may also let a machine in that shows its code, with --approve.

            Examples:
              culvert login https://edge.example.com
              culvert login edge.example.com --token - < code.txt
              culvert login --approve WDJB-MJHT
            """
    )

    @Argument(help: "The edge: https://HOST[:PORT]. The one of the last login, when not given.")
    var edge: String?

    @Option(help: "An enrolment code; - reads it from standard input.")
    var token: String?

    @Option(help: "CA certificates (PEM) to trust beside the system's.")
    var caFile: String?

    @Option(help: "HOST:PORT to dial instead of where the edge's name leads.")
    var edgeAddress: String?

    @Option(help: "Let another machine in, which shows this code, as the account logged in here.")
    var approve: String?

    @Flag(help: "Do not open a browser.")
    var noBrowser = false

    @OptionGroup var output: OutputOption

    func validate() throws {
        guard self.approve == nil || (self.edge ?? self.token ?? self.caFile) == nil else {
            throw ValidationError(
                "--approve goes with the edge that is logged in to, and nothing else."
            )
        }
    }

    func run() async throws {
        if let approve {
            let session = try LoggedIn()
            try await session.withClient { try await $0.approveDevice(approve) }
            return print("Let in as \(printable(session.login.account)).")
        }
        let directory = ConfigurationDirectory.usual
        // One that cannot be read is about to be replaced.
        let before = (try? Login(in: directory)).flatMap { $0 }
        var login = try self.target(before)
        let code = try self.code()
        // A code is good once: what would come of it has to have a place.
        do {
            try Login.rehearse(in: directory)
        } catch {
            throw Failure("\(error)\nNothing was done; the code, if there is one, is still good.")
        }
        let options = try ControlClient.Options(
            edge: login.edge,
            address: login.edgeAddress,
            caFile: login.caFile
        )
        let answer = try await ControlClient.with(options) { client in
            try await self.logIn(client, code)
        }
        login.token = answer.token
        login.account = answer.account.name
        do {
            try login.write(in: directory)
        } catch {
            await Self.end(login)
            throw Failure("\(error)")
        }
        await Self.end(before)
        try self.output.show(answer.account) { _ in
            "Logged in at \(login.edge) as \(printable(answer.account.name))."
        }
    }

    /// The edge to log in to, the token yet to come. What was said of the same edge before still holds.
    private func target(_ before: Login?) throws -> Login {
        let edge: EdgeURL
        if let text = self.edge {
            do { edge = try EdgeURL(text) } catch { throw Failure("\(error)", .usage) }
        } else if let before {
            edge = before.edge
        } else {
            throw Failure("Which edge? Say `culvert login https://edge.example.com`.", .usage)
        }
        let known = before?.edge == edge ? before : nil
        var login = Login(edge: edge, token: "", account: "")
        login.caFile = self.caFile.map(absolute) ?? known?.caFile
        login.edgeAddress = try self.edgeAddress.map(dialAddress) ?? known?.edgeAddress
        return login
    }

    /// The enrolment code, from wherever it is; nil when a person is to let the machine in.
    private func code() throws -> String? {
        let environment = ProcessInfo.processInfo.environment
        guard var code = self.token ?? environment["CULVERT_ENROLMENT"], !code.isEmpty else {
            return nil
        }
        if code == "-" { code = readLine() ?? "" }
        code = code.trimmingCharacters(in: .whitespacesAndNewlines)
        guard code.hasPrefix("cve_") else {
            throw Failure(
                "That is no enrolment code: those begin with cve_. An admin hands them out.",
                .usage
            )
        }
        return code
    }

    private func logIn(_ client: ControlClient, _ code: String?) async throws -> LoginDocument {
        let label = machineName()
        if let code { return try await client.logIn(EnrolmentDocument(code: code, label: label)) }
        do {
            return try await client.logIn(asDevice: label) { self.show($0) }
        } catch let error as ControlClientError where error.isProblem(.expiredToken) {
            throw Failure("\(DeviceLoginExpired())")
        } catch let error as DeviceLoginExpired {
            throw Failure("\(error)")
        }
    }

    private func show(_ authorization: DeviceAuthorizationDocument) {
        note(
            """
            To log in, open this page in a browser, on any machine:

                \(printable(authorization.verificationUriComplete))

            and check that it shows this code:

                \(printable(authorization.userCode))

            Waiting…
            """
        )
        if !self.noBrowser { Browser.open(authorization.verificationUriComplete) }
    }

    /// Ends the session that the new one takes the place of; it would be left to nobody.
    private static func end(_ login: Login?) async {
        guard let login, var options = try? login.clientOptions() else { return }
        options.timeout = .seconds(5)
        try? await ControlClient.with(options) { try await $0.logOut() }
    }
}

/// `culvert logout`.
struct LogoutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logout",
        abstract: "Log out: end the session at the edge and forget it here.",
        discussion: "The credentials of tunnels stay, and their connectors go on."
    )

    func run() async throws {
        let session = try LoggedIn()
        var complaint: ControlClientError?
        do {
            try await session.withClient { try await $0.logOut() }
        } catch let error as ControlClientError {
            complaint = error
        }
        do {
            try Login.remove(in: session.directory)
        } catch {
            throw Failure("\(error)")
        }
        if case .loggedOut = complaint { complaint = nil }
        if let complaint {
            note("\(complaint)")
            note("The login is forgotten here, but its session at the edge may still be good.")
        }
        print("Logged out at \(session.login.edge).")
    }
}

/// A path without `~`: the home is what $HOME says, as in a shell.
func homeExpanded(_ path: String) -> String {
    guard path == "~" || path.hasPrefix("~/"),
        let home = ProcessInfo.processInfo.environment["HOME"], !home.isEmpty
    else { return NSString(string: path).expandingTildeInPath }
    return home + path.dropFirst()
}

/// A path that means the same from everywhere.
func absolute(_ path: String) -> String {
    let path = homeExpanded(path)
    guard !path.hasPrefix("/") else { return path }
    return URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
        .appendingPathComponent(path).standardizedFileURL.path
}

/// `HOST:PORT` to connect to, as an option has it.
func dialAddress(_ text: String) throws -> HostPort {
    do {
        let address = try HostPort(text)
        guard !address.host.isEmpty, address.port != 0 else {
            throw Failure(
                "--edge-address needs a host and a port other than 0, found \(text).",
                .usage
            )
        }
        return address
    } catch let error as HostPort.Malformed {
        throw Failure("--edge-address: \(error.message)", .usage)
    }
}

import ArgumentParser
import ConfigurationFile
import CulvertConnector
import Foundation

/// Where a connector's key comes from, and how it gets to its edge, beside the configuration file.
struct ConnectorSource: ParsableArguments {
    @Option(help: "A tunnel's token, cvt_…; everybody on this machine can see it in `ps`.")
    var token: String?

    @Option(help: "A file with the token, its owner's only; - is standard input.")
    var tokenFile: [String] = []

    @Option(
        name: [.customLong("cred-file"), .customLong("credentials-file")],
        help: "The tunnel's credentials file."
    )
    var credentialsFile: String?

    @Option(help: "CA certificates (PEM) to trust beside the system's, for the edge.")
    var caFile: String?

    @Option(help: "HOST:PORT to dial instead of where the edge's name leads.")
    var edgeAddress: String?

    func validate() throws {
        let given = [self.token, self.tokenFile.first, self.credentialsFile].compactMap { $0 }
        guard given.count <= 1 else {
            throw ValidationError("--token, --token-file and --cred-file exclude each other.")
        }
    }

    /// The token that the options or the environment have; nil when there is none, or a credentials
    /// file is named.
    ///
    /// - Throws: `Failure` with what is wrong with it, and none of it, or that there are several.
    func readToken() throws -> (token: TunnelToken, origin: String)? {
        let tokens = self.tokens
        guard tokens.count <= 1 else {
            throw Failure(
                "There are \(tokens.count) tokens, and this is for one tunnel at a time: give one of "
                    + "them, with --token-file.",
                .usage
            )
        }
        return try tokens.first.map { (try $0.read(), $0.origin) }
    }

    /// The tokens that the options have, or else the environment; none when a credentials file is named.
    var tokens: [GivenToken] {
        if let token { return [GivenToken(origin: "--token", place: .text(token))] }
        guard self.tokenFile.isEmpty else {
            return self.tokenFile.map { GivenToken(origin: $0, place: .file($0)) }
        }
        let environment = ProcessInfo.processInfo.environment["CULVERT_TOKEN"] ?? ""
        guard !environment.isEmpty, self.credentialsFile == nil else { return [] }
        let words = environment.split(whereSeparator: \.isWhitespace).map(String.init)
        guard words.count > 1 else {
            return [GivenToken(origin: "CULVERT_TOKEN", place: .text(environment))]
        }
        return words.enumerated().map { index, word in
            GivenToken(origin: "token \(index + 1) of CULVERT_TOKEN", place: .text(word))
        }
    }
}

/// Where a token is, that was not read yet.
struct GivenToken {
    enum Place {
        /// The token itself. A secret.
        case text(String)
        /// A file, or `-` for a line of standard input.
        case file(String)
    }

    /// What it is called in an error.
    let origin: String
    let place: Place

    /// - Throws: `Failure` with what is wrong with it, and none of it.
    func read() throws -> TunnelToken {
        let text =
            switch self.place {
            case .text(let text): text
            case .file(let file): try Self.contents(of: file)
            }
        do {
            return try TunnelToken(text)
        } catch {
            throw Failure("\(self.origin): the token \(error.message).", self.code)
        }
    }

    /// The exit code when it is wrong.
    private var code: Failure.Code {
        switch self.place {
        case .text, .file("-"): .usage
        case .file: .badFile
        }
    }

    private static func contents(of file: String) throws -> String {
        if file == "-" { return readLine() ?? "" }
        do {
            let data = try PrivateFile.read(file, maximumBytes: TunnelToken.maximumBytes)
            return String(decoding: data, as: UTF8.self)
        } catch {
            throw Failure("\(error)", .badFile)
        }
    }
}

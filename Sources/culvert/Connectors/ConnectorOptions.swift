import ConfigurationFile
import CulvertConnector
import Foundation
import TunnelLink
import TunnelTransport

// What `culvert http` and `culvert tunnel run` share: from a configuration file to what a connector needs.

/// - Throws: `Failure` with every problem of the file; of files that it names only if it is for this machine.
func loadConnectorConfiguration(
    _ file: String,
    isForHere: Bool = true
) throws -> ConnectorConfiguration {
    do {
        return try ConnectorConfiguration.load(file: file, isForHere: isForHere)
    } catch {
        throw Failure("\(error)", .badFile)
    }
}

/// The credentials that a configuration file names, and their own file.
///
/// - Throws: `Failure` naming the key or file that is missing or wrong.
func namedCredentials(
    _ configuration: ConnectorConfiguration,
    file: String
) throws -> (credentials: Credentials, origin: String) {
    guard let credentialsFile = configuration.credentialsFile else {
        throw Failure(
            "\(file): credentials-file is missing; `culvert tunnel keygen NAME --out NAME.json` "
                + "makes one.",
            .badFile
        )
    }
    let credentials: Credentials
    do {
        credentials = try Credentials(file: credentialsFile)
    } catch {
        throw Failure("\(error)", .badFile)
    }
    guard configuration.edge ?? credentials.edge != nil else {
        throw Failure(
            "\(file): edge is missing: where is the edge? Say `edge: HOST:443`.",
            .badFile
        )
    }
    return (credentials, credentialsFile)
}

/// What a connector needs, from its configuration and its credentials; `source` is what they are called in
/// an error. What the configuration does not say of the edge, they say.
///
/// - Throws: `Failure` naming what is missing or wrong.
func connectorOptions(
    _ configuration: ConnectorConfiguration,
    _ credentials: Credentials,
    source: String
) throws -> Connector.Options {
    guard let edge = configuration.edge ?? credentials.edge else {
        throw Failure(
            "\(source) does not say where the edge is, and no configuration file does.",
            .badFile
        )
    }
    guard let identity = TunnelIdentity(privateKey: Array(credentials.privateKey)) else {
        throw Failure("\(source): the private key is damaged.", .badFile)
    }
    // What the credentials say of their edge is said of no other.
    let isTheirs = edge == credentials.edge
    let known = isTheirs ? credentials.edgeAddress : nil
    let dialled = configuration.edgeAddress ?? known ?? edge
    do {
        let trust = try ClientTrust(
            additionalFile: configuration.caFile,
            additionalText: isTheirs && configuration.caFile == nil
                ? credentials.caCertificates : nil
        )
        let target = try ClientTarget(
            hostname: edge.host,
            port: UInt16(clamping: edge.port),
            trust: trust
        )
        return Connector.Options(
            identity: identity,
            edge: EdgeAddress(
                target: target,
                dialHost: dialled.host,
                dialPort: UInt16(clamping: dialled.port)
            ),
            rules: configuration.ingress,
            agent: "culvert/\(buildVersion)"
        )
    } catch {
        throw Failure("\(error)", .badFile)
    }
}

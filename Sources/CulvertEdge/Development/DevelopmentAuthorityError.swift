/// Why the development authority's directory cannot be used; names the file or directory at fault.
package struct DevelopmentAuthorityError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong with the file or directory.
    package enum Reason: Sendable, Equatable {
        /// A system call failed: its name and the system's reason.
        case system(call: String, reason: String)
        /// The file is not the PEM it should be.
        case corrupted
        /// The other half of the authority is there, this one is not.
        case missing(beside: String)
        /// The key is not that of the certificate in this file.
        case keyDoesNotMatch(certificate: String)
        /// The authority's certificate has ended; it is not made anew, since someone may trust it.
        case expired
        /// X.509 could not be made or written; a fault of the program.
        case internalFailure(String)
    }

    /// The file or directory at fault.
    package let path: String
    /// What is wrong with it.
    package let reason: Reason

    package var description: String {
        let again = "delete ca.pem and ca-key.pem beside it to have a new authority made"
        return switch self.reason {
        case .system(let call, let reason): "\(self.path): \(call): \(reason)"
        case .corrupted: "\(self.path): damaged or not PEM; delete it, or \(again)"
        case .missing(let other): "\(self.path): missing, though \(other) is there; \(again)"
        case .keyDoesNotMatch(let certificate):
            "\(self.path): the key does not belong to \(certificate); \(again)"
        case .expired: "\(self.path): the development authority has expired; \(again)"
        case .internalFailure(let why): "\(self.path): cannot make a certificate: \(why)"
        }
    }
}

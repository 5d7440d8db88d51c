/// Why logins are refused, as the label `reason` has it.
///
/// Raw values are the codes of REFUSED in the tunnel's protocol; codes that are not known are `other`.
enum LoginRefusal: UInt16, CaseIterable {
    case other = 0
    case unsupportedVersion
    case unknownKey
    case badSignature
    case hostnameRefused
    case overloaded
    case draining
    case malformed

    var label: String {
        switch self {
        case .other: "other"
        case .unsupportedVersion: "unsupported_version"
        case .unknownKey: "unknown_key"
        case .badSignature: "bad_signature"
        case .hostnameRefused: "hostname_refused"
        case .overloaded: "overloaded"
        case .draining: "draining"
        case .malformed: "malformed"
        }
    }

    init(code: UInt16) { self = LoginRefusal(rawValue: code) ?? .other }
}

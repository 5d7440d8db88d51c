/// What went wrong with a request to the API: `application/problem+json` (RFC 9457).
package struct APIProblem: Codable, Error, Sendable, Equatable {
    /// `urn:culvert:problem:` and the code.
    package var type: String
    /// The same for every problem of the type.
    package var title: String
    /// The HTTP status.
    package var status: Int
    /// What happened here, why, and what to do; for a person.
    package var detail: String
    /// What programs look at; the article of ``ControlAPI`` lists them.
    package var code: String

    package init(_ code: Code, _ detail: String) {
        self.type = "urn:culvert:problem:\(code.rawValue)"
        self.title = code.title
        self.status = code.status
        self.detail = detail
        self.code = code.rawValue
    }

    /// The codes of this version. A reader meets others as text.
    package enum Code: String, Sendable, CaseIterable {
        case invalid
        case authorizationPending = "authorization_pending"
        case slowDown = "slow_down"
        case accessDenied = "access_denied"
        case expiredToken = "expired_token"
        case unauthenticated
        case forbidden
        case unknown
        case wrongMethod = "wrong-method"
        case exists
        case inUse = "in-use"
        case conflict
        case tooLarge = "too-large"
        case overQuota = "over-quota"
        case rateLimited = "rate-limited"
        case unavailable

        /// The HTTP status that goes with it.
        package var status: Int {
            switch self {
            case .invalid, .authorizationPending, .slowDown, .accessDenied, .expiredToken: 400
            case .unauthenticated: 401
            case .forbidden: 403
            case .unknown: 404
            case .wrongMethod: 405
            case .exists, .inUse, .conflict: 409
            case .tooLarge: 413
            case .overQuota, .rateLimited: 429
            case .unavailable: 503
            }
        }

        fileprivate var title: String {
            switch self {
            case .invalid: "The request is not written as it has to be"
            case .authorizationPending: "Nobody has let the device in yet"
            case .slowDown: "Asked too often"
            case .accessDenied: "The device was turned away"
            case .expiredToken: "The device's code has expired"
            case .unauthenticated: "Not logged in"
            case .forbidden: "Not allowed"
            case .unknown: "Not found"
            case .wrongMethod: "Not done that way"
            case .exists: "There already"
            case .inUse: "In use"
            case .conflict: "Changed by somebody else meanwhile"
            case .tooLarge: "Too large"
            case .overQuota: "As many as the account may have"
            case .rateLimited: "Too many requests"
            case .unavailable: "Cannot be done now"
            }
        }
    }
}

extension APIProblem: CustomStringConvertible {
    package var description: String { self.detail }
}

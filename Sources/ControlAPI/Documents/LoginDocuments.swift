package import Foundation

/// An enrolment code, to be changed into a session token.
package struct EnrolmentDocument: Codable, Sendable, Equatable {
    /// `cve_…`.
    package var code: String
    /// Where the token will be used, for a person to tell it by: a host name, at most 255 bytes.
    package var label: String

    package init(code: String, label: String) {
        self.code = code
        self.label = label
    }
}

/// Somebody is logged in.
package struct LoginDocument: Codable, Sendable, Equatable {
    /// `cvs_…`: the only time that the edge says it.
    package var token: String
    package var account: AccountDocument

    package init(token: String, account: AccountDocument) {
        self.token = token
        self.account = account
    }
}

/// A device that wants to log in (RFC 8628 §3.1).
package struct DeviceRequestDocument: Codable, Sendable, Equatable {
    /// As in ``EnrolmentDocument``.
    package var label: String

    package init(label: String) { self.label = label }
}

/// What a device shows its user, and polls with (RFC 8628 §3.2).
package struct DeviceAuthorizationDocument: Codable, Sendable, Equatable {
    /// A secret of the device.
    package var deviceCode: String
    /// Eight letters with a hyphen between, to be typed by a person: `WDJB-MJHT`.
    package var userCode: String
    /// Where the person types it.
    package var verificationUri: String
    /// The same with the code in it.
    package var verificationUriComplete: String
    /// How long both codes are good, in seconds.
    package var expiresIn: Int
    /// How long to wait between two polls, in seconds.
    package var interval: Int

    package init(
        deviceCode: String,
        userCode: String,
        verificationUri: String,
        verificationUriComplete: String,
        expiresIn: Int,
        interval: Int
    ) {
        self.deviceCode = deviceCode
        self.userCode = userCode
        self.verificationUri = verificationUri
        self.verificationUriComplete = verificationUriComplete
        self.expiresIn = expiresIn
        self.interval = interval
    }
}

/// A poll (RFC 8628 §3.4).
package struct DeviceTokenRequestDocument: Codable, Sendable, Equatable {
    package var deviceCode: String

    package init(deviceCode: String) { self.deviceCode = deviceCode }
}

/// What a person says to a device that wants in.
package struct DeviceApprovalDocument: Codable, Sendable, Equatable {
    /// As the device shows it; case and hyphens do not matter.
    package var userCode: String
    /// False turns the device away.
    package var approve: Bool

    package init(userCode: String, approve: Bool) {
        self.userCode = userCode
        self.approve = approve
    }
}

/// A session token, without the token.
package struct SessionDocument: Codable, Sendable, Equatable {
    package var id: String
    package var label: String
    package var createdAt: Date
    /// When it was used last, to within a day; absent when it was not since it was made.
    package var usedAt: Date?
    /// From when on it is refused if it is not used before.
    package var expiresAt: Date?
    /// Whether it is the one that asks.
    package var isCurrent: Bool

    package init(
        id: String,
        label: String,
        createdAt: Date,
        usedAt: Date? = nil,
        expiresAt: Date? = nil,
        isCurrent: Bool
    ) {
        self.id = id
        self.label = label
        self.createdAt = createdAt
        self.usedAt = usedAt
        self.expiresAt = expiresAt
        self.isCurrent = isCurrent
    }
}

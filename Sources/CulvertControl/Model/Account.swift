package import Foundation
package import HTTPSemantics

/// Someone who has tunnels.
package struct Account: Sendable, Equatable {
    package enum Role: String, Sendable, CaseIterable {
        /// May do everything, to what others have, too.
        case admin
        /// Has tunnels of its own, within a quota and under the suffixes that were granted.
        case member
    }

    package let id: AccountID
    /// 1...64 bytes of letters, digits, `.`, `_`, `-` and `@`; unique.
    package var name: String
    package var role: Role
    /// How many tunnels it may have; no limit for admins.
    package var maximumTunnels: Int
    /// How many hostnames its tunnels may have together; no limit for admins.
    package var maximumHostnames: Int
    /// It may have hostnames below these, and these themselves.
    package var suffixes: [NormalizedHost]
    package var createdAt: Date

    package init(
        id: AccountID = AccountID(),
        name: String,
        role: Role,
        maximumTunnels: Int = 10,
        maximumHostnames: Int = 100,
        suffixes: [NormalizedHost] = [],
        createdAt: Date
    ) {
        self.id = id
        self.name = name
        self.role = role
        self.maximumTunnels = maximumTunnels
        self.maximumHostnames = maximumHostnames
        self.suffixes = suffixes
        self.createdAt = createdAt
    }

    /// Whether a hostname is within its suffixes; an admin's always is.
    func isGranted(_ pattern: HostPattern) -> Bool {
        guard self.role != .admin else { return true }
        switch pattern.kind {
        case .any: return false
        case .exact(let host), .suffix(let host):
            return self.suffixes.contains { host == $0 || host.isBelow($0) }
        }
    }

    /// Whether it was granted names at or below a host by name, and not with all the names around it.
    func isGrantedWithin(_ host: NormalizedHost) -> Bool {
        self.suffixes.contains { $0 == host || $0.isBelow(host) }
    }

    /// Whether a name is one that accounts and tunnels may have.
    package static func isName(_ name: String) -> Bool {
        guard (1...64).contains(name.utf8.count) else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "@"): true
            default: false
            }
        }
    }
}

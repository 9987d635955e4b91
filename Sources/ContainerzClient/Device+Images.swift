import GNOI
import GRPCCore
import SwiftProtobuf

/// An image of a device: a name and a tag.
public struct ListedImage: Encodable, Hashable, Sendable {
    public var name: String
    public var tag: String
    public var id: String
}

/// What a listing is narrowed by: keys and their values.
public typealias Filters = [String: [String]]

extension Device {
    /// - Throws: `RPCError`.
    public func images(limit: Int32 = 0, filters: Filters = [:]) async throws -> [ListedImage] {
        let request = Gnoi_Containerz_ListImageRequest.with {
            $0.limit = limit
            $0.filter = filters.map { filter in
                .with {
                    $0.key = filter.key
                    $0.value = filter.value
                }
            }
        }
        return try await client.listImage(request, options: options) { response in
            try await Self.collect(response.messages) { image in
                ListedImage(name: image.imageName, tag: image.tag, id: image.id)
            }
        }
    }

    /// - Throws: `RPCError`.
    public func removeImage(_ name: String, tag: String, force: Bool) async throws {
        let request = Gnoi_Containerz_RemoveImageRequest.with {
            $0.name = name
            $0.tag = tag
            $0.force = force
        }
        _ = try await client.removeImage(request, options: options)
    }
}

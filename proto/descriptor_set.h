/* Descriptor set: what reflection tells clients — a serialized google.protobuf.FileDescriptorSet of
 * every service this server has, imports before importers, without source positions. */
#ifndef NQ_PROTO_DESCRIPTOR_SET_H
#define NQ_PROTO_DESCRIPTOR_SET_H

extern const unsigned char nq_descriptor_set[];
extern const unsigned long nq_descriptor_set_bytes;

#endif

package dev.neuroquantum.tour;

import com.google.protobuf.ByteString;
import dev.neuroquantum.v1.Column;
import dev.neuroquantum.v1.ColumnBatch;
import dev.neuroquantum.v1.ColumnMeta;
import dev.neuroquantum.v1.DataType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/** Column batches as rows of Java objects; null for NULL. */
public final class Rows {
    private Rows() {}

    /**
     * Decodes a batch. Boolean, Long (all integers), Double, String, byte[], LocalDateTime, LocalDate, LocalTime or
     * UUID by the column's type.
     *
     * @throws IllegalArgumentException when the batch is not what its columns promise
     */
    public static List<Object[]> decode(List<ColumnMeta> columns, ColumnBatch batch) {
        if (columns.size() != batch.getColumnsCount()) {
            throw new IllegalArgumentException("a batch of another width than its result");
        }
        int count = batch.getRowCount();
        List<Object[]> rows = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            rows.add(new Object[columns.size()]);
        }
        for (int j = 0; j < columns.size(); j++) {
            Reader reader = new Reader(columns.get(j).getType().getDataType(), batch.getColumns(j), count);
            for (int i = 0; i < count; i++) {
                rows.get(i)[j] = reader.cell(i);
            }
        }
        return rows;
    }

    /** One column, whose lengths and offsets were proven once. */
    private static final class Reader {
        private final DataType type;
        private final ByteString validity;
        private final ByteString bytes;
        private final ByteBuffer data;
        private final ByteBuffer offsets;

        Reader(DataType type, Column column, int count) {
            this.type = type;
            this.validity = column.getValidity();
            this.bytes = column.getData();
            this.data = bytes.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
            this.offsets = column.getOffsets().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
            check(column, count);
        }

        private void check(Column column, int count) {
            int bitmap = (count + 7) / 8;
            boolean sound = column.getEncodingValue() <= 1 && (validity.isEmpty() || validity.size() >= bitmap);
            int width = width();
            if (type == DataType.DATA_TYPE_BOOL) {
                sound &= bytes.size() >= bitmap;
            } else if (width != 0) {
                sound &= bytes.size() >= (long) width * count;
            } else {
                sound &= offsets.limit() == 4 * (count + 1) && offsets.getInt(0) == 0;
                for (int i = 0; sound && i < count; i++) {
                    sound = offsets.getInt(4 * i + 4) >= offsets.getInt(4 * i);
                }
                sound = sound && offsets.getInt(4 * count) <= bytes.size();
            }
            if (!sound) {
                throw new IllegalArgumentException("a malformed column of type " + type);
            }
        }

        private int width() {
            return switch (type) {
                case DATA_TYPE_INT16 -> 2;
                case DATA_TYPE_INT32, DATA_TYPE_FLOAT32, DATA_TYPE_DATE -> 4;
                case DATA_TYPE_INT64, DATA_TYPE_FLOAT64, DATA_TYPE_TIMESTAMP, DATA_TYPE_TIME -> 8;
                case DATA_TYPE_UUID -> 16;
                default -> 0;
            };
        }

        private static boolean bit(ByteString bitmap, int i) {
            return (bitmap.byteAt(i >> 3) >> (i & 7) & 1) != 0;
        }

        Object cell(int i) {
            if (!validity.isEmpty() && !bit(validity, i)) {
                return null;
            }
            return switch (type) {
                case DATA_TYPE_BOOL -> bit(bytes, i);
                case DATA_TYPE_INT16 -> (long) data.getShort(2 * i);
                case DATA_TYPE_INT32 -> (long) data.getInt(4 * i);
                case DATA_TYPE_INT64 -> data.getLong(8 * i);
                case DATA_TYPE_FLOAT32 -> (double) data.getFloat(4 * i);
                case DATA_TYPE_FLOAT64 -> data.getDouble(8 * i);
                case DATA_TYPE_TIMESTAMP -> timestamp(data.getLong(8 * i));
                case DATA_TYPE_DATE -> LocalDate.ofEpochDay(data.getInt(4 * i));
                case DATA_TYPE_TIME -> LocalTime.ofNanoOfDay(data.getLong(8 * i) * 1000 % 86_400_000_000_000L);
                case DATA_TYPE_UUID -> uuid(16 * i);
                case DATA_TYPE_BYTES -> slice(i).toByteArray();
                default -> slice(i).toStringUtf8();
            };
        }

        private ByteString slice(int i) {
            return bytes.substring(offsets.getInt(4 * i), offsets.getInt(4 * i + 4));
        }

        private static LocalDateTime timestamp(long us) {
            long second = Math.floorDiv(us, 1_000_000L);
            return LocalDateTime.ofEpochSecond(second, (int) Math.floorMod(us, 1_000_000L) * 1000, ZoneOffset.UTC);
        }

        private UUID uuid(int at) {
            ByteBuffer big = data.duplicate().order(ByteOrder.BIG_ENDIAN);
            return new UUID(big.getLong(at), big.getLong(at + 8));
        }
    }
}

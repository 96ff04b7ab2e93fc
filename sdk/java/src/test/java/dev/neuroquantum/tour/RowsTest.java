package dev.neuroquantum.tour;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.protobuf.ByteString;
import dev.neuroquantum.v1.Column;
import dev.neuroquantum.v1.ColumnBatch;
import dev.neuroquantum.v1.ColumnMeta;
import dev.neuroquantum.v1.DataType;
import dev.neuroquantum.v1.Type;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.List;
import org.junit.jupiter.api.Test;

class RowsTest {
    private static ByteString bytes(int... values) {
        byte[] array = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            array[i] = (byte) values[i];
        }
        return ByteString.copyFrom(array);
    }

    private static List<Object[]> decode(DataType type, Column.Builder column) {
        ColumnMeta meta = ColumnMeta.newBuilder().setType(Type.newBuilder().setDataType(type)).build();
        return Rows.decode(List.of(meta), ColumnBatch.newBuilder().setRowCount(2).addColumns(column).build());
    }

    private static void expect(Object first, Object second, DataType type, Column.Builder column) {
        List<Object[]> rows = decode(type, column);
        assertArrayEquals(new Object[] {first, second}, new Object[] {rows.get(0)[0], rows.get(1)[0]});
    }

    @Test
    void everyLayoutIsDecoded() {
        expect(true, false, DataType.DATA_TYPE_BOOL, Column.newBuilder().setData(bytes(1)));
        expect(-1L, 1L, DataType.DATA_TYPE_INT16, Column.newBuilder().setData(bytes(255, 255, 1, 0)));
        expect(-1L, null, DataType.DATA_TYPE_INT32, Column.newBuilder()
                .setNullCount(1).setValidity(bytes(1)).setData(bytes(255, 255, 255, 255, 0, 0, 0, 0)));
        expect("a", "bc", DataType.DATA_TYPE_TEXT, Column.newBuilder()
                .setData(ByteString.copyFromUtf8("abc")).setOffsets(bytes(0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0)));
        expect(LocalDate.EPOCH, LocalDate.of(1970, 1, 2), DataType.DATA_TYPE_DATE,
                Column.newBuilder().setData(bytes(0, 0, 0, 0, 1, 0, 0, 0)));
        expect(LocalDateTime.of(1969, 12, 31, 23, 59, 59, 999_999_000), LocalDateTime.of(1970, 1, 1, 0, 0),
                DataType.DATA_TYPE_TIMESTAMP,
                Column.newBuilder().setData(bytes(255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0)));
    }

    @Test
    void whatLeadsAstrayIsRefused() {
        assertThrows(IllegalArgumentException.class,
                () -> decode(DataType.DATA_TYPE_INT64, Column.newBuilder().setData(bytes(1, 2, 3))));
        assertThrows(IllegalArgumentException.class,
                () -> decode(DataType.DATA_TYPE_TEXT, Column.newBuilder().setOffsets(bytes(0, 0, 0, 0))));
        assertThrows(IllegalArgumentException.class, () -> decode(DataType.DATA_TYPE_TEXT, Column.newBuilder()
                .setData(bytes(65)).setOffsets(bytes(0, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0))));
        assertThrows(IllegalArgumentException.class,
                () -> Rows.decode(List.of(), ColumnBatch.newBuilder().addColumns(Column.newBuilder()).build()));
    }

    @Test
    void aBatchWithoutRowsHasNone() {
        assertEquals(0, Rows.decode(List.of(), ColumnBatch.getDefaultInstance()).size());
    }
}
